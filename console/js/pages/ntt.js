import { html } from '../preact.js';
import { t } from '../texts.js';
import { useTitle } from '../ui.js';

export default function Page() {
	useTitle(t('ntt.title'));
	return html`<h1>${t('ntt.title')}</h1>`;
}
