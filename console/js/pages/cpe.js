// The equipment of a customer: current and new values side by side.

import { html, useEffect, useState } from '../preact.js';
import { ActDialog, Remark, useDryRun } from '../act.js';
import { trimmed } from '../format.js';
import { t } from '../texts.js';
import { Icon } from '../ui.js';

const FIELDS = ['manufacturer', 'model', 'ipAddress', 'bandwidthMbps', 'port'];
const LENGTHS = { manufacturer: 64, model: 64, ipAddress: 45, port: 32 };

// Why this element of this ticket cannot be changed; '' if it can. The server
// checks it again.
export function notEditable(ctt, element) {
	if (ctt.segmentGroup !== 'Managed Services') {
		return t('cpe.otherSegment', ctt.segmentGroup);
	}
	if (element.accessType !== 'FTTH') {
		return t('cpe.otherAccess', element.name, element.accessType);
	}
	return '';
}

function valuesOf(element) {
	return Object.fromEntries(FIELDS.map((name) => [name, element[name]]));
}

const shown = (value) => (value === null ? '' : String(value));

// What is sent for what was typed.
function typedValue(name, text) {
	const value = trimmed(text);

	return name === 'bandwidthMbps' && /^\d+$/.test(value) ? Number(value) : value;
}

function changesOf(current, typed) {
	return Object.fromEntries(FIELDS
		.filter((name) => trimmed(typed[name]) !== shown(current[name]))
		.map((name) => [name, typedValue(name, typed[name])]));
}

// Somebody has changed a value meanwhile: which one is to stay?
function Choice({ name, stored, mine, chosen, choose }) {
	return html`<div class="choice" role="group" aria-label=${t('cpe.choose',
		t(`cpe.${name}`))}>
		<button type="button" class="button" aria-pressed=${chosen === 'stored'}
			onClick=${() => choose('stored')}>${t('cpe.takeStored')} <bdi>${
			shown(stored) || '–'}</bdi></button>
		<button type="button" class="button" aria-pressed=${chosen === 'mine'}
			onClick=${() => choose('mine')}>${t('cpe.takeMine')} <bdi>${
			mine || '–'}</bdi></button></div>`;
}

function Line({ name, current, typed, conflict, error, set, choose }) {
	const changed = trimmed(typed) !== shown(current);
	const id = `cpe-${name}`;

	return html`<tr data-changed=${changed}>
		<th scope="row"><label for=${id}>${t(`cpe.${name}`)}</label></th>
		<td data-label=${t('cpe.current')}><bdi>${shown(current) || '–'}</bdi></td>
		<td data-label=${t('cpe.new')}><input id=${id} name=${name} value=${typed}
			maxlength=${LENGTHS[name]} autocomplete="off" spellcheck=${false}
			inputmode=${name === 'bandwidthMbps' ? 'numeric' : undefined}
			aria-invalid=${error ? 'true' : undefined}
			aria-describedby=${`${id}-says`}
			onInput=${(event) => set(event.target.value)} />
			<div id=${`${id}-says`} class="says">${
				error ? html`<span class="error"><${Icon} name="bad" /> ${error}</span>`
				: conflict ? html`<span>${t('cpe.meanwhile', shown(conflict.was)
					|| '–', shown(current) || '–')}</span>`
				: changed && html`<span class="changed">${t('cpe.isChanged')}</span>`}
			</div>
			${conflict && html`<${Choice} name=${name} stored=${current}
				mine=${conflict.mine} chosen=${conflict.chosen} choose=${choose} />`}
		</td></tr>`;
}

function Sentence({ ctt, element, current, body, cpe }) {
	return html`<p>${t('cpe.will', ctt.ticketNo, ctt.title, element.name)}</p>
		<ul>${Object.keys(body.new).map((name) => html`<li>${
			t(`cpe.${name}`)}: <bdi>${shown(current[name]) || '–'}</bdi> → <strong
			><bdi>${shown(cpe[name]) || '–'}</bdi></strong></li>`)}</ul>
		<p>${t('cpe.willNig')}</p>`;
}

export function CpeDialog({ ctt, element, onProblem, ...more }) {
	const [current, setCurrent] = useState(() => valuesOf(element));
	const [typed, setTyped] = useState(() => Object.fromEntries(
		FIELDS.map((name) => [name, shown(element[name])])));
	const [conflicts, setConflicts] = useState({});
	const [remark, setRemark] = useState('');
	const changes = changesOf(current, typed);
	const open = FIELDS.filter((name) => conflicts[name]
		&& !conflicts[name].chosen);
	const nothing = Object.keys(changes).length === 0;
	const body = nothing || open.length ? null : { networkElementId: element.id,
		new: changes, current, remark };
	const path = `/ticket/ctt/cpe/update/${ctt.id}`;
	const dry = useDryRun('POST', path, body);
	const errors = Object.fromEntries((dry.problem?.errors ?? []).map(
		({ field, message }) => [field.replace(/^new\./, ''), message]));

	// What is stored becomes what is current. A value that was not touched
	// follows it; of one that was, the reader chooses.
	function meet(stored) {
		const met = {};
		const now = { ...typed };

		for (const name of FIELDS.filter((f) => stored[f] !== current[f])) {
			const touched = trimmed(typed[name]) !== shown(current[name]);

			met[name] = { was: current[name], mine: typed[name],
				chosen: touched ? null : 'stored' };
			if (!touched) now[name] = shown(stored[name]);
		}
		setConflicts({ ...conflicts, ...met });
		setTyped(now);
		setCurrent(stored);
	}

	function choose(name, chosen) {
		const { mine } = conflicts[name];

		setConflicts({ ...conflicts, [name]: { ...conflicts[name], chosen } });
		setTyped({ ...typed, [name]: chosen === 'mine' ? mine
			: shown(current[name]) });
	}

	useEffect(() => {
		if (dry.problem?.code === 'CPE_STALE') meet(dry.problem.body.stored);
	}, [dry.problem]);
	return html`<${ActDialog} title=${t('cpe.dialog', element.name, ctt.ticketNo)}
		wide method="POST" path=${path} body=${body} check=${dry}
		missing=${open.length ? t('cpe.chooseFirst') : t('cpe.changeFirst')}
		label=${t('cpe.go')}
		sentence=${(data) => html`<${Sentence} ctt=${ctt} element=${element}
			current=${current} body=${body} cpe=${data.cpe} />`}
		...${more} onProblem=${(problem) => (problem.code === 'CPE_STALE'
			? meet(problem.body.stored) : onProblem(problem))}>
		${Object.keys(conflicts).length > 0 && html`<p class="stale" role="alert"
			><${Icon} name="warn" /><span>${t('cpe.stale')}</span></p>`}
		<table class="cpe"><thead><tr><th scope="col">${t('cpe.what')}</th><th
			scope="col">${t('cpe.current')}</th><th scope="col">${
			t('cpe.new')}</th></tr></thead>
		<tbody>${FIELDS.map((name) => html`<${Line} name=${name}
			current=${current[name]} typed=${typed[name]} error=${errors[name]}
			conflict=${conflicts[name]} choose=${(chosen) => choose(name, chosen)}
			set=${(value) => setTyped({ ...typed, [name]: value })} />`)}</tbody>
		</table>
		<${Remark} value=${remark} onInput=${setRemark} />
	</${ActDialog}>`;
}
