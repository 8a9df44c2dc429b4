import { html } from '../preact.js';
import { t } from '../texts.js';
import { useTitle } from '../ui.js';

export default function Page() {
	useTitle(t('health.title'));
	return html`<h1>${t('health.title')}</h1>`;
}
