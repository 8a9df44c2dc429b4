// The lists of tickets, and where the search field leads.

import { html, useEffect, useRef, useState } from '../preact.js';
import { api, asProblem, lov } from '../api.js';
import { formatNumber, trimmed } from '../format.js';
import { here, href, withQuery } from '../router.js';
import { t } from '../texts.js';
import { Button, Empty, Icon, Id, Loading, Pages, Problem, State, Table, useLoad,
	usePages, useTitle } from '../ui.js';

const PAGE = 100;
const BEGIN = 8;             // tickets shown whose number begins so
const TYPING_MS = 300;

// ---- one field for everything ----

async function unless404(promise) {
	try {
		return await promise;
	} catch (error) {
		if (error.status === 404 || error.code === 'VALIDATION_FAILED') return null;
		throw error;
	}
}

const asCtt = (ticket) => ({ kind: 'ctt', to: `/ctt/${ticket.id}`,
	text: ticket.ticketNo, status: ticket.status, id: ticket.id });
const asNtt = (ticket) => ({ kind: 'ntt', to: `/ntt/${ticket.id}`,
	text: ticket.ticketNo, status: ticket.status, id: ticket.id,
	title: ticket.title });

async function tickets(list, query, as, signal) {
	const found = await unless404(api.get(`/ticket/${list}`, { query, signal }));

	return (found?.items ?? []).map(as);
}

async function byId(text, signal) {
	if (!/^[1-9]\d{0,15}$/.test(text) || !Number.isSafeInteger(Number(text))) {
		return [];
	}
	const [ctt, ntt] = await Promise.all([
		unless404(api.get(`/ticket/ctt/${text}`, { signal })),
		unless404(api.get(`/ticket/ntt/${text}`, { signal })),
	]);

	return [ctt && asCtt(ctt.ctt), ntt && asNtt(ntt.ntt)].filter(Boolean);
}

async function byOperation(text, signal) {
	if (!/^[A-Za-z0-9_-]{20,64}$/.test(text)) return [];
	const found = await unless404(
		api.get(`/ticket/operation/${text}`, { signal }));

	return found ? [{ kind: 'operation', to: `/operation/${found.operationId}`,
		text: found.operationId, status: found.state }] : [];
}

async function byRequest(text, signal) {
	if (!/^[A-Za-z0-9._-]{1,64}$/.test(text)) return [];
	const found = await unless404(api.get('/ticket/operation',
		{ query: { requestId: text, limit: 1 }, signal }));

	return found?.items.length
		? [{ kind: 'request', to: `/request/${text}`, text }] : [];
}

// {exact: [...], begin: [...]}: what is just this, and the tickets whose
// number begins so.
async function find(text, signal) {
	const of = async (list, as) => (text.length > 64 ? []
		: (await Promise.all([
			tickets(list, { ticketNo: text }, as, signal),
			tickets(list, { q: text, limit: BEGIN }, as, signal)])));
	const [ctts, ntts, ids, operations, requests] = await Promise.all([
		of('ctt', asCtt), of('ntt', asNtt), byId(text, signal),
		byOperation(text, signal), byRequest(text, signal)]);
	const exact = [...(ctts[0] ?? []), ...(ntts[0] ?? []), ...ids,
		...operations, ...requests];
	const known = new Set(exact.map((hit) => hit.to));

	return {
		exact: exact.filter((hit, i) =>
			exact.findIndex((other) => other.to === hit.to) === i),
		begin: [...(ctts[1] ?? []), ...(ntts[1] ?? [])]
			.filter((hit) => !known.has(hit.to)),
	};
}

function Hits({ hits }) {
	return html`<${Table} caption=${t('search.hits')} rows=${hits}
		rowKey=${(hit) => hit.to} columns=${[
			{ title: t('search.is'), cell: (hit) => t(`search.${hit.kind}`) },
			{ title: t('search.name'), cell: (hit) => html`<${Id} text=${hit.text}
				to=${hit.to} />` },
			{ title: t('search.status'), cell: (hit) => hit.status
				&& html`<${State} value=${hit.status} />` },
			{ title: t('search.titleOf'), wide: true,
				cell: (hit) => html`<bdi>${hit.title ?? ''}</bdi>` },
		]} />`;
}

function Found({ text, go }) {
	const { data, problem, loading, reload } = useLoad(
		(signal) => find(text, signal), [text]);
	const only = data?.exact.length === 1 && !loading ? data.exact[0].to : null;

	useEffect(() => {
		if (only) go(only, { replace: true });
	}, [only]);
	const close = html`<a href=${href('/')}>${t('search.close')}</a>`;
	if (problem) return html`<${Problem} problem=${problem} onRetry=${reload} />`;
	if (!data || loading || only) {
		return html`<div class="found"><${Loading} what=${
			t('search.looking', text)} /></div>`;
	}
	const hits = [...data.exact, ...data.begin];

	return html`<div class="found">
		${hits.length === 0 ? html`<${Empty} what=${t('search.nothing', text)}
			why=${t('search.nothingWhy')}>${close}</${Empty}>`
		: html`<p>${data.exact.length ? t('search.many', text)
			: t('search.begins', text)} ${close}</p><${Hits} hits=${hits} />`}
	</div>`;
}

// ---- filters: they are the query of the address ----

const FILTERS = ['q', 'status', 'linked', 'updatedSince'];

function filtersOf(query) {
	return Object.fromEntries(FILTERS.map((name) => [name, query[name] ?? '']));
}

// 2026-01-02T03:04:00Z as a field for local times has it, and back.
function toLocal(iso) {
	const date = new Date(iso);

	if (!iso || Number.isNaN(date.getTime())) return '';
	return new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
		.toISOString().slice(0, 16);
}

function toIso(local) {
	const date = new Date(local);

	return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

// In the order of a ticket's life; those that somebody has added, after them.
const ORDER = ['Open', 'In Progress', 'Pending', 'Resolved', 'Closed', 'Cancel'];

function inOrder(labels) {
	return [...ORDER.filter((label) => labels.includes(label)),
		...labels.filter((label) => !ORDER.includes(label))];
}

function Statuses({ chosen, all, onChange }) {
	const now = chosen ? chosen.split(',') : [];
	const toggle = (label, on) => onChange((on ? [...now, label]
		: now.filter((other) => other !== label)).join(','));

	return html`<fieldset class="statuses"><legend>${t('search.status')}</legend>${
		all.map((label) => html`<label><input type="checkbox" name="status"
			value=${label} checked=${now.includes(label)}
			onChange=${(event) => toggle(label, event.target.checked)} />
			${label}</label>`)}</fieldset>`;
}

function Filters({ list, filters, statuses, change }) {
	const [q, setQ] = useState(filters.q);
	const timer = useRef(0);

	useEffect(() => setQ(filters.q), [filters.q]);
	const typed = (value) => {
		setQ(value);
		clearTimeout(timer.current);
		timer.current = setTimeout(() => change({ q: trimmed(value) }), TYPING_MS);
	};

	return html`<form class="filters" onSubmit=${(event) => {
		event.preventDefault();
		clearTimeout(timer.current);
		change({ q: trimmed(q) });
	}}>
		<div class="field"><label for="q">${t('search.q')}</label>
			<input id="q" name="q" type="search" maxlength="64" autocomplete="off"
				spellcheck=${false} value=${q}
				onInput=${(event) => typed(event.target.value)} /></div>
		<div class="field"><label for="linked">${t(`search.linked_${list}`)}</label>
			<select id="linked" name="linked" value=${filters.linked}
				onChange=${(event) => change({ linked: event.target.value })}>
				<option value="">${t('search.any')}</option>
				<option value="true">${t('search.yes')}</option>
				<option value="false">${t('search.no')}</option></select></div>
		<div class="field"><label for="since">${t('search.since')}</label>
			<input id="since" name="updatedSince" type="datetime-local"
				value=${toLocal(filters.updatedSince)} onChange=${(event) =>
					change({ updatedSince: toIso(event.target.value) })} /></div>
		<${Statuses} chosen=${filters.status} all=${statuses}
			onChange=${(status) => change({ status })} />
		<${Button} look="quiet" disabled=${!FILTERS.some((name) => filters[name])}
			onClick=${() => change({ q: '', status: '', linked: '',
				updatedSince: '' })}>${t('search.clearShort')}</${Button}>
	</form>`;
}

// ---- the lists ----

const COLUMNS = {
	ctt: [
		{ title: t('search.number'), cell: (c) => html`<${Id} text=${c.ticketNo}
			to=${`/ctt/${c.id}`} />` },
		{ title: t('search.id'), num: true, cell: (c) => c.id },
		{ title: t('search.status'), cell: (c) => html`<${State}
			value=${c.status} />` },
		{ title: t('search.partner'), cell: (c) => t(`partner.${c.source}`) },
		{ title: t('search.link'), cell: (c) => html`<${State}
			value=${c.linkState} />` },
		{ title: t('search.ntt'), wide: true, cell: (c) => c.nttId
			&& html`<${Id} text=${c.nttTicketNo} to=${`/ntt/${c.nttId}`} />` },
	],
	ntt: [
		{ title: t('search.number'), cell: (n) => html`<${Id} text=${n.ticketNo}
			to=${`/ntt/${n.id}`} />` },
		{ title: t('search.id'), num: true, cell: (n) => n.id },
		{ title: t('search.status'), cell: (n) => html`<${State}
			value=${n.status} />` },
		{ title: t('search.cttCount'), num: true,
			cell: (n) => formatNumber(n.cttCount) },
		{ title: t('search.titleOf'), wide: true,
			cell: (n) => html`<bdi>${n.title}</bdi>` },
	],
};

function List({ list, filters, clear }) {
	const pages = usePages(`/ticket/${list}`, { ...filters, limit: PAGE });
	const { items, problem, loading } = pages;

	if (!items.length && problem) {
		return html`<${Problem} problem=${problem} onRetry=${pages.more} />`;
	}
	if (!items.length && loading) return html`<${Loading} />`;
	if (!items.length) {
		return FILTERS.some((name) => filters[name])
			? html`<${Empty} what=${t('search.noMatch')}
				why=${t('search.noMatchWhy')}><${Button} onClick=${clear}>${
				t('search.clear')}</${Button}></${Empty}>`
			: html`<${Empty} what=${t(`search.none_${list}`)}
				why=${t('search.noneWhy')} />`;
	}
	return html`<${Table} caption=${t(`search.list_${list}`)} rows=${items}
		rowKey=${(ticket) => ticket.id} columns=${COLUMNS[list]} />
		<${Pages} pages=${pages} scroll />`;
}

export default function Page({ query, go }) {
	const list = query.list === 'ntt' ? 'ntt' : 'ctt';
	const filters = filtersOf(query);
	const [statuses, setStatuses] = useState([]);
	const [failed, setFailed] = useState(null);
	// On top of what the address says by now: a filter that is being typed
	// comes a little later than one that is clicked.
	const change = (more) => go(withQuery('/', { list: query.list,
		...filtersOf(here().query), ...more }), { replace: true });

	useTitle(t('search.title'));
	useEffect(() => {
		lov().then((all) => setStatuses(inOrder((all.CTT_STATUS ?? [])
			.map((value) => value.label))),
		(error) => setFailed(asProblem(error)));
	}, []);
	return html`<h1>${t('search.title')}</h1>
		${query.find && html`<${Found} key=${query.find} text=${query.find}
			go=${go} />`}
		<nav class="tabs" aria-label=${t('search.lists')}>${
			['ctt', 'ntt'].map((name) => html`<a href=${href(withQuery('/',
				{ list: name === 'ntt' ? 'ntt' : '' }))}
				aria-current=${name === list ? 'page' : undefined}>${
				t(`search.list_${name}`)}</a>`)}</nav>
		<${Filters} key=${list} list=${list} filters=${filters}
			statuses=${statuses} change=${change} />
		${failed && html`<${Problem} problem=${failed} />`}
		<${List} key=${`${list} ${JSON.stringify(filters)}`} list=${list}
			filters=${filters} clear=${() => change({ q: '', status: '',
				linked: '', updatedSince: '' })} />`;
}
