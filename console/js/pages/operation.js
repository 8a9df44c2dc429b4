// An operation as support's checklist, drawn; and the operations of a request.

import { html, useEffect, useId, useMemo, useRef, useState } from '../preact.js';
import { api } from '../api.js';
import { formatDuration, formatNumber, formatTime } from '../format.js';
import { href, withQuery } from '../router.js';
import { remedyOf, t } from '../texts.js';
import { auditOf, chain, isOpen, mail, partnerName, picture, stateWord,
	ticketName } from '../trace.js';
import { Button, Empty, Facts, Id, Loading, Problem, Section, State, Table,
	Time, VirtualTable, useAgain, useLoad, useTitle } from '../ui.js';

const SOON_MS = 1500;    // an open operation is read again
const LATER_MS = 4000;   // one whose jobs are to be delivered
const NEAR_MS = 5000;    // its audit rows are that near to its end
const MINI = 8;          // operations of a chain that are drawn
const PAGE = 200;        // what the API gives at once
const AT_ONCE = 1000;    // operations of a request that are read at first
const LONG = 400;        // characters of a quotation that need no scrolling
const SHORT = 12;        // rows that are shown without scrolling in a box

// ---- reading ----

// What does not come is left out; the operation itself has to.
function perhaps(promise) {
	return promise.catch((error) => {
		if (error.name === 'AbortError') throw error;
		return null;
	});
}

async function readChain(op, signal) {
	if (!op.requestId || !op.ctt) return null;
	const { items } = await api.get('/ticket/operation', { signal,
		query: { requestId: op.requestId, cttId: op.ctt.id } });
	const traces = await Promise.all(items.slice(0, MINI).map((it) =>
		(it.operationId === op.operationId ? op
			: perhaps(api.get(`/ticket/operation/${it.operationId}`,
				{ signal })))));

	return { items, traces };
}

// The rows that were written when it ended, of both tickets.
async function readAudit(op, signal) {
	if (isOpen(op.state) || op.state === 'REFUSED') return [];
	const at = Date.parse(op.updatedAt);
	const query = { limit: PAGE, from: new Date(at - NEAR_MS).toISOString(),
		to: new Date(at + NEAR_MS).toISOString() };
	const lists = await Promise.all([['cttId', op.ctt], ['nttId', op.ntt]]
		.filter(([, ticket]) => ticket).map(([name, ticket]) => api.get(
			'/ticket/audit', { signal, query: { ...query, [name]: ticket.id } })));

	return auditOf(op, ...lists.map((list) => list.items));
}

async function read(id, signal) {
	const op = await api.get(`/ticket/operation/${encodeURIComponent(id)}`,
		{ signal });
	const [all, audit] = await Promise.all([perhaps(readChain(op, signal)),
		perhaps(readAudit(op, signal))]);

	return { op, all, audit, at: Date.now() };
}

// Is there more to come, and how soon is it worth a look?
function waitOf({ op, all }) {
	if (isOpen(op.state) || all?.items.some((it) => isOpen(it.state))) {
		return SOON_MS;
	}
	return op.jobs.some((job) => job.state === 'READY'
		|| job.state === 'RUNNING') ? LATER_MS : 0;
}

// ---- shapes ----

const SHAPES = {
	ok: ['M8 1a7 7 0 1 1 0 14a7 7 0 1 1 0-14', 'M4.6 8.4l2.3 2.3 4.5-5'],
	failed: ['M1.8 1.8h12.4v12.4H1.8z', 'M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6'],
	skipped: ['M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12', 'M5 8h6'],
	unknown: ['M8 .6L15.4 8 8 15.4.6 8z',
		'M6.1 6.4c0-2.4 3.8-2.4 3.8 0 0 1.5-1.9 1.4-1.9 2.9M8 11.2v.4'],
	assumed: ['M8 .6L15.4 8 8 15.4.6 8z',
		'M4.9 7.1c1-1.4 2-1.2 3.1-.4s2.1 1 3.1-.4M4.9 10c1-1.4 2-1.2 3.1-.4s2.1 1 3.1-.4'],
	undone: ['M8 1a7 7 0 1 1 0 14a7 7 0 1 1 0-14',
		'M5 6.3h4a2.3 2.3 0 0 1 0 4.6H6.500M6.8 4.2L4.7 6.3l2.1 2.1'],
	unneeded: ['M8 6a2 2 0 1 1 0 4a2 2 0 1 1 0-4', ''],
	unreached: ['M8 3a5 5 0 1 1 0 10a5 5 0 1 1 0-10', ''],
	waiting: ['M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12',
		'M5 8h.1M8 8h.1M11 8h.1'],
};

function Mark({ name }) {
	const [shape, sign] = SHAPES[name];

	return html`<svg class="mark" data-mark=${name} viewBox="0 0 16 16"
		aria-hidden="true" focusable="false"><path class="mark-shape" d=${shape}
		/>${sign && html`<path class="mark-sign" d=${sign} />`}</svg>`;
}

// ---- the line: all steps at a glance ----

function LineStep({ step, partner, labels }) {
	const answer = t('operation.answer', step.name, step.answer);

	return html`<li data-mark=${step.mark} data-group=${step.group}
		title=${`${t('operation.question', step.name, partner)} ${answer}`}
		><${Mark} name=${step.mark} />${labels
			&& html`<span class="line-label">${
				t('operation.short', step.name, partner)}</span>`}<span
			class="sr">${t('operation.question', step.name, partner)} ${
			answer}</span></li>`;
}

function Line({ drawn, labels = false }) {
	const partner = partnerName(drawn.op.partner);

	return html`<ol class="line" data-labels=${labels}>${drawn.steps.map(
		(step) => html`<${LineStep} key=${step.name} step=${step}
			partner=${partner} labels=${labels} />`)}</ol>`;
}

// ---- a move, or what else the request did with the ticket ----

function ChainLink({ link: { op, role }, trace, current, last }) {
	const name = t('operation.role', role, ticketName(op.ntt));

	return html`<li class="chain-link" data-last=${last}
		aria-current=${current ? 'true' : undefined}>
		<p class="chain-name">${current ? html`<strong><bdi>${name}</bdi></strong>`
			: html`<a href=${href(`/operation/${op.operationId}`)}
				><bdi>${name}</bdi></a>`}</p>
		<${State} value=${op.state} />
		${trace && html`<${Line} drawn=${picture(trace)} />`}
		<p class="muted chain-when"><${Time} at=${op.createdAt} ms /></p>
	</li>`;
}

function Chain({ all, current }) {
	const { moves, links, verdict } = chain(all.items);

	return html`<${Section} title=${moves ? t('operation.moveTitle')
		: t('operation.sameRequest')}>
		${verdict && html`<p class="chain-verdict"><bdi>${verdict}</bdi></p>`}
		<ol class="chain">${links.map((link, i) => html`<${ChainLink}
			key=${link.op.operationId} link=${link} trace=${all.traces[i]}
			current=${link.op.operationId === current}
			last=${i === links.length - 1} />`)}</ol>
	</${Section}>`;
}

// ---- the checklist with its scale ----

function Axis({ scale }) {
	return html`<div class="axis" aria-hidden="true">${scale.ticks.map(
		({ ms, at }) => html`<span class="tick" style=${{
			left: `${at * 100}%` }}>${ms ? formatDuration(ms) : '0'}</span>`)}</div>`;
}

// From its beginning to its end; one that has no end yet goes to the edge.
function Bar({ from, to, span, scale, mark }) {
	const left = scale.place((from ?? 0) - span.from);
	const right = to === null ? 1 : scale.place(to - span.from);

	return html`<div class="track" aria-hidden="true">${scale.ticks.map(
		({ at }) => html`<i style=${{ left: `${at * 100}%` }} />`)}${
		from !== null && html`<span class="bar" data-mark=${mark}
			data-open=${to === null} style=${{
				left: `min(${left * 100}%, 100% - 4px)`,
				width: `${(right - left) * 100}%` }} />`}</div>`;
}

const NAMED = /^(Operation )([A-Za-z0-9_-]{1,64})( \([A-Z_]+\) is under way[^]*)$/;

// What others said: to the letter, and as text. It scrolls if it is long.
function Words({ text, what }) {
	return html`<blockquote class="words" aria-label=${what}
		tabindex=${text.length > LONG ? 0 : undefined}><bdi>${text}</bdi
		></blockquote>`;
}

// What we say; an operation that is named in it can be gone to.
function Told({ text }) {
	const found = NAMED.exec(text);

	if (!found) return html`<bdi>${text}</bdi>`;
	return html`<bdi>${found[1]}<a href=${href(`/operation/${found[2]}`)}>${
		found[2]}</a>${found[3]}</bdi>`;
}

function Detail({ detail: { again, told, words, then }, partner }) {
	return html`<div class="step-detail">
		${again && html`<span class="again">${t('operation.askedAgainLabel')
			}</span>`}
		<p><${Told} text=${told} /></p>
		${words !== null && html`<${Words} text=${words}
			what=${t('operation.theirWords', partner)} />`}
		${then && html`<p><bdi>${then}</bdi></p>`}
	</div>`;
}

function When({ at, span }) {
	if (at === null) return html`<span class="step-when" />`;
	return html`<span class="step-when"><time datetime=${
		new Date(at).toISOString()} title=${formatTime(at, { ms: true })}
		>+${formatDuration(at - span.from)}</time></span>`;
}

function Step({ step, drawn, partner }) {
	const { span, scale } = drawn;

	return html`<li class="step" data-mark=${step.mark}>
		<${Mark} name=${step.mark} />
		<span class="step-question">${t('operation.question', step.name,
			partner)}</span>
		<strong class="step-answer">${t('operation.answer', step.name,
			step.answer)}</strong>
		<${Bar} ...${step} span=${span} scale=${scale} />
		<${When} at=${step.to} span=${span} />
		${step.details.length > 0 && html`<div class="step-details">${
			step.details.map((detail) => html`<${Detail} detail=${detail}
				partner=${partner} />`)}</div>`}
	</li>`;
}

function Job({ job, drawn: { span, scale } }) {
	return html`<li class="step" data-mark=${job.mark}>
		<${Mark} name=${job.mark} />
		<code class="step-question">${job.type}</code>
		<strong class="step-answer">${t(`operation.job_${job.state}`)}</strong>
		<${Bar} ...${job} span=${span} scale=${scale} />
		<${When} at=${job.to} span=${span} />
		${(job.state !== 'DONE' || job.attempts > 1) && html`<div
			class="step-details"><div class="step-detail">
			<p>${t('operation.attempts', job.attempts)}${job.nextTryAt && html` · ${
				t('operation.fact_nextTry')}: <${Time} at=${job.nextTryAt} />`}</p>
			${job.lastError && html`<${Words} text=${job.lastError}
				what=${t('operation.colLast')} />`}
			${job.state === 'DEAD' && html`<p>${t('operation.jobDead')}</p>`}
		</div></div>`}
	</li>`;
}

function Group({ title, children }) {
	const heading = useId();

	return html`<div class="step-group"><h3 id=${heading}>${title}</h3><ol
		aria-labelledby=${heading}>${children}</ol></div>`;
}

// Neighbours of one group.
function grouped(steps) {
	const groups = [];

	for (const step of steps) {
		if (groups.at(-1)?.group !== step.group) {
			groups.push({ group: step.group, steps: [] });
		}
		groups.at(-1).steps.push(step);
	}
	return groups;
}

// The shapes that this picture has.
function Legend({ drawn }) {
	const marks = new Set([...drawn.steps, ...drawn.jobs]
		.map((it) => it.mark));

	return html`<ul class="legend" aria-label=${t('operation.legend')}>${
		Object.keys(SHAPES).filter((name) => marks.has(name)).map((name) =>
			html`<li><${Mark} name=${name} />${t(`operation.mark_${name}`)
			}</li>`)}</ul>`;
}

function Checklist({ drawn }) {
	const partner = partnerName(drawn.op.partner);

	return html`<div class="checklist">
		<div class="axis-row"><span class="axis-name">${drawn.scale.log
			? t('operation.scaleLog') : t('operation.scale')}</span><${Axis}
			scale=${drawn.scale} /></div>
		${grouped(drawn.steps).map(({ group, steps }) => html`<${Group}
			key=${group} title=${t('operation.group', group, partner)}>${
			steps.map((step) => html`<${Step} key=${step.name} step=${step}
				drawn=${drawn} partner=${partner} />`)}</${Group}>`)}
		<${Group} title=${t('operation.jobs')}>${drawn.jobs.map((job) =>
			html`<${Job} key=${job.id} job=${job} drawn=${drawn} />`)}${
			drawn.noJobs && html`<li class="no-jobs muted">${drawn.noJobs
			}</li>`}</${Group}>
		<${Legend} drawn=${drawn} />
	</div>`;
}

// ---- the rest of the page ----

function factsOf({ op, span }) {
	return [
		op.ctt && [t('operation.fact_ctt'), html`<${Id}
			text=${ticketName(op.ctt)} to=${`/ctt/${op.ctt.id}`} />`],
		op.ntt && [t('operation.fact_ntt'), html`<${Id}
			text=${ticketName(op.ntt)} to=${`/ntt/${op.ntt.id}`} />`],
		[t('operation.fact_partner'), partnerName(op.partner)
			|| t(op.state === 'REFUSED' ? 'operation.notAsked'
				: 'operation.noPartner')],
		[t('operation.fact_actor'), html`<bdi>${op.actor}</bdi>`],
		[t('operation.fact_took'), formatDuration(span.ms)],
		[t('operation.fact_began'), html`<${Time} at=${op.createdAt} ms />`],
		op.errorCode && [t('operation.fact_error'),
			html`<code>${op.errorCode}</code>`],
		op.requestId && [t('operation.fact_request'), html`<span class="op-id"
			><${Id} text=${op.requestId} to=${`/request/${encodeURIComponent(
				op.requestId)}`} what=${t('ui.requestId')} /></span>`],
		[t('operation.fact_operation'), html`<span class="op-id"><${Id}
			text=${op.operationId} /></span>`],
	];
}

// An operation that is open: what it waits for.
function Waiting({ op }) {
	return html`<div class="op-open" role="status">
		<p>${t('operation.refreshed')}${op.nextTryAt && html` ${
			t('operation.fact_nextTry')}: <${Time} at=${op.nextTryAt} />.`}</p>
		${op.lastError && html`<p class="muted">${t('operation.lastErrorWords')
			}:</p><${Words} text=${op.lastError}
			what=${t('operation.lastErrorWords')} />`}
	</div>`;
}

function Mail({ text }) {
	const [is, set] = useState('');
	const [open, setOpen] = useState(false);
	const box = useRef(null);

	const copy = async () => {
		try {
			await navigator.clipboard.writeText(text);
			set('mailCopied');
		} catch {
			set('mailFailed');
			setOpen(true);
		}
	};
	useEffect(() => { if (is === 'mailFailed') box.current?.select(); }, [is]);
	return html`<div class="mail" data-open=${open}>
		<${Button} look="primary" onClick=${copy}>${t('operation.mail')
			}</${Button}>
		<${Button} look="quiet" aria-expanded=${open}
			onClick=${() => setOpen(!open)}>${t('operation.mailShow')}</${Button}>
		<span class="mail-said" role="status">${is && t(`operation.${is}`)}</span>
		${open && html`<textarea ref=${box} class="mail-text" readonly rows="24"
			aria-label=${t('operation.mail')} value=${text} />`}
	</div>`;
}

function whyNoAudit(op) {
	if (isOpen(op.state)) return t('operation.noAuditOpen');
	return op.state === 'REFUSED' ? t('operation.noAuditRefused')
		: t('operation.noAuditFound');
}

const AUDIT_COLUMNS = [
	{ title: t('operation.colTicket'), cell: (row) => {
		const [kind, ticket] = row.ctt ? ['ctt', row.ctt] : ['ntt', row.ntt];

		return html`<a href=${href(`/${kind}/${ticket.id}`)}><bdi>${
			kind.toUpperCase()} ${ticketName(ticket)}</bdi></a>`;
	} },
	{ title: t('operation.colOutcome'), cell: (row) =>
		html`<${State} value=${row.outcome} />` },
	{ title: t('operation.colWhen'), cell: (row) =>
		html`<${Time} at=${row.createdAt} ms />` },
	{ title: t('operation.colRow'), num: true, cell: (row) => row.id },
	{ title: t('operation.colDetail'), wide: true, cell: (row) =>
		html`<code class="audit-detail"><bdi>${row.detail
			? JSON.stringify(row.detail) : ''}</bdi></code>` },
];

function Audit({ op, audit }) {
	return html`<${Section} title=${t('operation.audit')}>${audit?.length
		? html`<${Table} columns=${AUDIT_COLUMNS} rows=${audit}
			rowKey=${(row) => row.id} caption=${t('operation.auditRows')} />`
		: html`<p class="muted">${whyNoAudit(op)}</p>`}</${Section}>`;
}

function Trace({ id }) {
	const is = useLoad((signal) => read(id, signal), [id]);
	const { data, problem, reload } = is;
	const drawn = useMemo(() => data && picture(data.op), [data]);

	useTitle(drawn ? drawn.title : t('operation.title'));
	useAgain(data ? waitOf(data) : 0, is);
	if (!data) {
		return html`<h1>${t('operation.title')}</h1>${problem
			? html`<${Problem} problem=${problem} onRetry=${reload} />`
			: html`<${Loading} />`}`;
	}
	const { op, all, audit } = data;
	const links = all && chain(all.items);
	const text = mail(drawn, { links, audit: audit ?? [],
		url: window.location.origin + href(`/operation/${op.operationId}`) });

	return html`<article class="op" data-state=${op.state}>
		<header class="op-head">
			<div class="op-said">
				<div class="op-title"><h1><bdi>${drawn.title}</bdi></h1><${State}
					value=${op.state} /></div>
				<p class="op-verdict"><bdi>${drawn.verdict}</bdi></p>
				${drawn.advice && html`<p class="op-remedy">${t('ui.what')}: ${
					drawn.advice}</p>`}
			</div>
			<${Mail} text=${text} />
			${drawn.open && html`<${Waiting} op=${op} />`}
		</header>
		${problem && html`<div class="op-stale"><p>${t('operation.stale',
			formatTime(data.at))}</p><${Problem} problem=${problem}
			onRetry=${reload} /></div>`}
		<${Line} drawn=${drawn} labels />
		<${Facts} items=${factsOf(drawn)} />
		${all && all.items.length > 1 && html`<${Chain} all=${all}
			current=${op.operationId} />`}
		<${Section} title=${t('operation.checklist')}><${Checklist}
			drawn=${drawn} /></${Section}>
		<${Audit} op=${op} audit=${audit} />
	</article>`;
}

// ---- the operations of a request ----

const ORDER = ['RUNNING', 'SETTLING', 'REFUSED', 'ROLLED_BACK', 'COMPENSATED',
	'SUCCEEDED'];

// As many pages as it takes to have `most` of them.
async function readRequest(requestId, most, signal) {
	const items = [];
	let after = null;
	let counts = {};

	do {
		const page = await api.get('/ticket/operation', { signal,
			query: { requestId, limit: PAGE, after } });

		items.push(...page.items);
		counts = page.counts ?? counts;
		after = page.next;
	} while (after !== null && items.length < most);
	return { items, counts, more: after !== null, at: Date.now() };
}

function total(counts) {
	return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

// By state, and by the reason of those that failed; the many last.
export function groupsOf(items) {
	const groups = new Map();

	for (const it of items) {
		const key = `${it.state} ${it.errorCode ?? ''}`;

		if (!groups.has(key)) {
			groups.set(key, { key, state: it.state, code: it.errorCode, items: [] });
		}
		groups.get(key).items.push(it);
	}
	return [...groups.values()].sort((a, b) =>
		ORDER.indexOf(a.state) - ORDER.indexOf(b.state)
		|| b.items.length - a.items.length);
}

function Counts({ counts, state, requestId }) {
	const all = total(counts);
	const known = ORDER.filter((name) => counts[name]);
	const to = (value) => href(withQuery(
		`/request/${encodeURIComponent(requestId)}`, { state: value }));

	return html`<div class="counts">
		<div class="counts-bar" aria-hidden="true">${known.map((name) => html`<span
			data-state=${name} style=${{ flexGrow: counts[name] }} />`)}</div>
		<ul class="counts-list" aria-label=${t('operation.requestCounts')}>
			<li><a href=${to('')} aria-current=${state ? undefined : 'true'}
				><span class="counts-n">${formatNumber(all)}</span> ${
				t('operation.all')}</a></li>
			${known.map((name) => html`<li><a href=${to(name)} aria-current=${
				state === name ? 'true' : undefined}><span class="counts-n">${
				formatNumber(counts[name])}</span> <${State} value=${name} /></a></li>`)}
		</ul>
	</div>`;
}

const REQUEST_COLUMNS = [
	{ title: t('operation.colKind'), cell: (it) => html`<a href=${href(
		`/operation/${it.operationId}`)}><bdi>${t('operation.role', it.kind,
		ticketName(it.ntt))}</bdi></a>` },
	{ title: t('operation.colCtt'), cell: (it) => (it.ctt ? html`<a href=${href(
		`/ctt/${it.ctt.id}`)}><bdi>${ticketName(it.ctt)}</bdi></a>`
		: html`<span class="muted">–</span>`) },
	{ title: t('operation.colPartner'), cell: (it) => partnerName(it.partner) },
	{ title: t('operation.fact_began'), cell: (it) => html`<${Time}
		at=${it.createdAt} ms />` },
	{ title: t('operation.fact_took'), num: true, cell: (it) => formatDuration(
		Date.parse(it.updatedAt) - Date.parse(it.createdAt)) },
	{ title: t('operation.colOperation'), wide: true, cell: (it) =>
		html`<${Id} text=${it.operationId} />` },
];

function RequestGroup({ group }) {
	const { state, code, items } = group;
	const title = t('operation.groupOf', stateWord(state), code);
	const Rows = items.length > SHORT ? VirtualTable : Table;

	return html`<section class="request-group" aria-label=${title}>
		<header><h2><${State} value=${state} />${code && html` <code>${code
			}</code>`}</h2><span class="muted">${t('operation.groupCount',
			items.length)}</span></header>
		${code && html`<p class="muted">${remedyOf({ code })}</p>`}
		<${Rows} columns=${REQUEST_COLUMNS} rows=${items}
			rowKey=${(it) => it.operationId} caption=${title} />
	</section>`;
}

function Request({ requestId, state }) {
	const [most, setMost] = useState(AT_ONCE);
	const is = useLoad((signal) => readRequest(requestId, most, signal),
		[requestId, most]);
	const { data, problem, reload } = is;
	const counts = data?.counts ?? {};
	const open = Boolean(counts.RUNNING || counts.SETTLING);
	const shown = useMemo(() => groupsOf((data?.items ?? []).filter((it) =>
		!state || it.state === state)), [data, state]);

	useTitle(t('operation.requestOf'));
	useAgain(open ? SOON_MS : 0, is);
	if (!data) {
		return html`<h1>${t('operation.requestOf')}</h1>${problem
			? html`<${Problem} problem=${problem} onRetry=${reload} />`
			: html`<${Loading} />`}`;
	}
	return html`<article class="request">
		<header class="op-head"><h1>${t('operation.requestOf')}</h1>
			<p><${Id} text=${requestId} what=${t('ui.requestId')} /></p>
			<p class="request-open" role="status">${open
				&& t('operation.requestOpen')}</p></header>
		${problem && html`<div class="op-stale"><p>${t('operation.stale',
			formatTime(data.at))}</p><${Problem} problem=${problem}
			onRetry=${reload} /></div>`}
		${!data.items.length ? html`<${Empty} what=${t('operation.noRequest')}
			why=${t('operation.noRequestWhy')} />` : html`
			<${Counts} counts=${counts} state=${state} requestId=${requestId} />
			${shown.map((group) => html`<${RequestGroup} key=${group.key}
				group=${group} />`)}
			${data.more && html`<p class="request-more">${t('operation.readSoFar',
				formatNumber(data.items.length), formatNumber(total(counts)))
				} <${Button} onClick=${() => setMost(most + AT_ONCE)}>${
				t('operation.showMore', formatNumber(AT_ONCE))}</${Button}></p>`}`}
	</article>`;
}

export default function Operation({ params, query }) {
	return params.requestId
		? html`<${Request} requestId=${params.requestId}
			state=${query.state ?? ''} />`
		: html`<${Trace} id=${params.id} />`;
}
