// An NTT: its facts, its CTTs over time, its work orders, and what is done with
// many tickets at once.

import { html, useEffect, useMemo, useState } from '../preact.js';
import { api, asProblem } from '../api.js';
import { formatNumber } from '../format.js';
import { href } from '../router.js';
import { steps, Plot } from '../plot.js';
import { t, word } from '../texts.js';
import { Button, Empty, Facts, Id, Loading, Pages, Problem, Section, State, Table, Time,
	VirtualTable, useLoad, usePages, useTitle } from '../ui.js';
import { Many } from './mass.js';

const PAGE = 200;
const SHORT = 50;         // rows that are all drawn
const AUDIT_PAGE = 200;
const AUDIT_PAGES = 10;   // drawn at once
const RECENT = 20;

// ---- the plot ----

// Pages of the audit, the latest first, from `after` on.
async function auditOf(id, after, signal) {
	const items = [];

	for (let page = 0; page < AUDIT_PAGES && after !== null; page++) {
		const list = await api.get('/ticket/audit', { signal,
			query: { nttId: id, limit: AUDIT_PAGE, after } });
		items.push(...list.items);
		after = list.next;
	}
	return { items, next: after };
}

function OverTime({ ntt, turn }) {
	const { data, problem, loading, reload, setData } = useLoad(
		(signal) => auditOf(ntt.id, undefined, signal), [ntt.id, turn]);
	const [more, setMore] = useState({ busy: false, problem: null });
	const points = useMemo(() => data && steps(data.items, ntt.cttCount, Date.now()),
		[data, ntt.cttCount]);

	const earlier = async () => {
		setMore({ busy: true, problem: null });
		try {
			const { items, next } = await auditOf(ntt.id, data.next);
			setData({ items: [...data.items, ...items], next });
			setMore({ busy: false, problem: null });
		} catch (error) {
			setMore({ busy: false, problem: asProblem(error) });
		}
	};

	return html`<${Section} title=${t('ntt.plot')}><div class="panel plot-panel">
		${problem && html`<${Problem} problem=${problem} onRetry=${reload} />`}
		${points?.length > 1 ? html`<${Plot} points=${points} />`
			: points ? html`<${Empty} what=${t('ntt.plotEmpty')} why=${t('ntt.plotEmptyWhy')} />`
			: loading && html`<${Loading} />`}
		${data && data.next !== null && html`<p><${Button} onClick=${earlier} busy=${more.busy}
			>${t('ntt.plotEarlier')}</${Button}></p>`}
		${more.problem && html`<${Problem} problem=${more.problem} />`}
	</div></${Section}>`;
}

// ---- the lists ----

const ORDERS = [
	{ title: t('ntt.order'), wide: true, cell: (order) => html`<${Id} text=${order.orderNo} />` },
	{ title: t('ntt.status'), cell: (order) => html`<${State} value=${order.status} />` },
];

const CTTS = [
	{ title: t('ntt.ctt'), wide: true, cell: (ctt) => html`<${Id} text=${ctt.ticketNo}
		to=${`/ctt/${ctt.id}`} />` },
	{ title: t('ntt.status'), cell: (ctt) => html`<${State} value=${ctt.status} />` },
	{ title: t('ntt.partner'), cell: (ctt) => word('partner', ctt.source) },
	{ title: t('ntt.link'), cell: (ctt) => html`<${State} value=${ctt.linkState} />` },
];

const AUDIT = [
	{ title: t('ntt.at'), cell: (row) => html`<${Time} at=${row.createdAt} />` },
	{ title: t('ntt.what'), cell: (row) => word('kind', row.action) },
	{ title: t('ntt.ctt'), wide: true, cell: (row) => html`<bdi>${row.detail?.cttTicketNo ?? '–'}</bdi>` },
	{ title: t('ntt.outcome'), cell: (row) => html`<${State} value=${row.outcome} />` },
	{ title: t('ntt.who'), cell: (row) => html`<bdi>${row.actor}</bdi>` },
	{ title: t('ntt.trace'), cell: (row) => html`<a href=${href(`/operation/${row.operationId}`)}
		aria-label=${`${t('ntt.trace')}: ${row.detail?.cttTicketNo ?? row.id}`}>${t('ntt.trace')}</a>` },
];

function Orders({ orders }) {
	return html`<${Section} title=${t('ntt.orders')}>${orders.length
		? html`<${Table} caption=${t('ntt.orders')} rows=${orders} columns=${ORDERS}
			rowKey=${(order) => order.id} />`
		: html`<${Empty} what=${t('ntt.noOrders')} why=${t('ntt.noOrdersWhy')} />`}</${Section}>`;
}

function Audit({ audit }) {
	return html`<${Section} title=${t('ntt.audit')}>${audit.length
		? html`<${Table} caption=${t('ntt.audit')} rows=${audit.slice(0, RECENT)} columns=${AUDIT}
			rowKey=${(row) => row.id} />`
		: html`<${Empty} what=${t('ntt.noAudit')} />`}</${Section}>`;
}

function Ctts({ id, turn }) {
	const pages = usePages(`/ticket/ntt/${id}/ctts`, { limit: PAGE });
	const { items, loading, problem } = pages;

	useEffect(() => {
		if (turn) pages.reload();
	}, [turn]);
	// There may be 100,000 of them.
	const kind = items.length > SHORT ? VirtualTable : Table;

	return html`<${Section} title=${t('ntt.ctts')}>${
		items.length ? html`<${kind} caption=${t('ntt.ctts')} rows=${items} columns=${CTTS}
			rowKey=${(ctt) => ctt.id} /><${Pages} pages=${pages} />`
		: problem ? html`<${Problem} problem=${problem} onRetry=${pages.reload} />`
		: loading ? html`<${Loading} />`
		: html`<${Empty} what=${t('ntt.noCtts')} why=${t('ntt.noCttsWhy')} />`}</${Section}>`;
}

// ---- the page ----

function NttFacts({ ntt }) {
	return html`<${Section} title=${t('ntt.facts')}><div class="panel"><${Facts} items=${[
		[t('ntt.status'), html`<${State} value=${ntt.status} />`],
		[t('ntt.count'), html`<strong class="count">${formatNumber(ntt.cttCount)}</strong>`],
		[t('ntt.number'), html`<${Id} text=${ntt.ticketNo} what=${t('ntt.number')} />`],
		[t('ntt.id'), html`<${Id} text=${ntt.id} what=${t('ntt.id')} />`],
		[t('ntt.created'), html`<${Time} at=${ntt.createdAt} />`],
		[t('ntt.updated'), html`<${Time} at=${ntt.updatedAt} />`],
	]} /></div></${Section}>`;
}

export default function Page({ params }) {
	const { data, problem, reload } = useLoad((signal) => api.get(
		`/ticket/ntt/${encodeURIComponent(params.id)}`, { signal }), [params.id]);
	const [turn, setTurn] = useState(0);
	const ntt = data?.ntt;

	useTitle(ntt?.ticketNo ?? t('ntt.title'));
	if (!data)
		return html`<h1>${t('ntt.title')}</h1>${problem
			? html`<${Problem} problem=${problem} onRetry=${reload} />` : html`<${Loading} />`}`;
	// After something was done: the shown values anew, once the facts have come.
	const anew = () => {
		reload();
		setTurn((n) => n + 1);
	};

	return html`<h1>${t('ntt.title')} <bdi>${ntt.ticketNo}</bdi></h1>
		<p class="lead"><bdi>${ntt.title || t('ntt.untitled')}</bdi></p>
		${problem && html`<${Problem} problem=${problem} onRetry=${reload} />`}
		<div class="beside"><${NttFacts} ntt=${ntt} /><${OverTime} ntt=${ntt} turn=${turn} /></div>
		<${Many} key=${ntt.id} ntt=${ntt} onDone=${anew} />
		<div class="beside"><${Orders} orders=${data.workOrders} /><${Audit} audit=${data.audit} /></div>
		<${Ctts} id=${ntt.id} turn=${turn} />`;
}
