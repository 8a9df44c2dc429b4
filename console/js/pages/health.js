// How cttd is: partners, open operations, jobs, database and worker. It is read
// again and again; whatever is pointed at, or has the focus, stays as it is.

import { html, useEffect, useRef, useState } from '../preact.js';
import { api } from '../api.js';
import { formatClock, formatDuration, formatNumber, formatUtc } from '../format.js';
import { href } from '../router.js';
import { t } from '../texts.js';
import { partnerName, ticketName } from '../trace.js';
import { Button, Empty, Id, Loading, Problem, Section, State, Table, Time,
	useAgain, useLoad, useTitle } from '../ui.js';

const EVERY_MS = 3000;
const KEPT = 60;          // readings, for the little curves
const LATE_S = 60;        // nobody works on what is due for so long
const OLD_S = 600;        // an open operation of that age wants a look
const COUNTED = 10_000;   // no further than this
const LISTED = 20;        // open operations that are shown
const SLOWEST_MS = 10_000;
const PARTNERS = ['TAAS', 'TMF', 'NIG', 'QUEUE'];
const OPEN = ['RUNNING', 'SETTLING'];

async function read(signal) {
	const [health, ...lists] = await Promise.all([
		api.get('/ticket/health', { signal }),
		...OPEN.map((state) => api.get('/ticket/operation', { signal,
			query: { state, limit: LISTED } }).catch(() => null)),
	]);

	return { health, at: Date.now(), open: lists.flatMap(
		(list) => list?.items ?? []) };
}

// ---- what is not well ----

function partnerState({ broken, failures, answeredAt }) {
	if (broken) return ['bad', t('health.broken')];
	if (failures) return ['warn', t('health.failing', failures)];
	return answeredAt ? ['good', t('health.answers')]
		: ['none', t('health.notAsked')];
}

// [[how bad, what]], the worst first.
export function findings({ database, memcached, partners, operations, jobs,
	worker }) {
	const late = Math.max(worker.operationLateS ?? 0, worker.jobLateS ?? 0);
	const all = [
		!database.up && ['bad', t('health.dbAway')],
		database.up && !database.writable && ['bad', t('health.dbReadOnly')],
		worker.running === 0 && ['bad', t('health.noWorker')],
		late > LATE_S && ['bad', t('health.workerLate',
			formatDuration(late * 1000))],
		...PARTNERS.map((name) => partners[name].broken
			&& ['bad', t('health.partnerBroken', partnerName(name))]),
		jobs.DEAD > 0 && ['bad', t('health.deadJobs', countText(jobs.DEAD))],
		...PARTNERS.map((name) => !partners[name].broken
			&& partners[name].failures > 0
			&& ['warn', t('health.partnerFails', partnerName(name))]),
		operations.oldest?.ageS > OLD_S && ['warn', t('health.oldOperation',
			formatDuration(operations.oldest.ageS * 1000))],
		!memcached.up && ['warn', t('health.cacheAway')],
	];

	return all.filter(Boolean);
}

function countText(n) {
	if (n === null) return '–';
	return n >= COUNTED ? t('health.orMore', formatNumber(COUNTED))
		: formatNumber(n);
}

function Findings({ health }) {
	const all = findings(health);
	const state = all.some(([how]) => how === 'bad') ? 'bad'
		: all.length ? 'warn' : 'good';

	return html`<div class="findings" data-state=${state} role="status">
		<p><strong>${all.length ? t('health.lookAt', all.length)
			: t('health.well')}</strong> ${all.map(([, what]) => what).join(' ')}</p>
	</div>`;
}

// ---- little drawings ----

// A curve of the last readings; the highest is its top.
function Curve({ values, what }) {
	const known = values.filter((v) => v !== null);
	const top = Math.max(1, ...known);
	const points = values.map((v, i) => (v === null ? null
		: `${(100 * (KEPT - values.length + i)) / (KEPT - 1)},${
			24 - (22 * v) / top}`)).filter(Boolean).join(' ');

	return html`<svg class="curve" viewBox="0 0 100 25" preserveAspectRatio="none"
		role="img" aria-label=${what}><path class="curve-base" d="M0 24.5H100"
		/><polyline points=${points} /></svg>`;
}

// Places that are taken, of those that there are.
function Places({ taken, limit }) {
	const shown = Math.max(limit, taken);

	if (shown > 24) {
		return html`<div class="health-bar" aria-hidden="true"><span style=${{
			width: `${(100 * taken) / shown}%` }} /></div>`;
	}
	return html`<div class="places" aria-hidden="true">${Array.from(
		{ length: shown }, (_, i) => html`<span data-taken=${i < taken}
			data-over=${i >= limit} />`)}</div>`;
}

// On a scale on which 10 ms, 100 ms, 1 s and 10 s are equally far apart.
function Latency({ ms }) {
	const part = ms === null ? 0 : Math.min(1, Math.log10(1 + ms)
		/ Math.log10(1 + SLOWEST_MS));

	return html`<div class="health-bar" data-scale="log" aria-hidden="true"><span
		style=${{ width: `${100 * part}%` }} /></div>`;
}

// ---- partners ----

function Fact({ name, children }) {
	return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

// Of today only the hour is told.
function Clock({ at }) {
	const today = at && new Date(at).toDateString() === new Date().toDateString();

	return today ? html`<time datetime=${at} title=${formatUtc(at)}>${
		formatClock(at)}</time>` : html`<${Time} at=${at} />`;
}

function failureText({ status }) {
	return status === null ? t('health.noAnswer')
		: t('health.http', status);
}

function Partner({ name, is, history }) {
	const [shape, word] = partnerState(is);

	return html`<li class="panel partner" data-shape=${shape}>
		<header><h3>${t('health.partnerName', partnerName(name))}</h3><${State}
			value=${shape} label=${word} /></header>
		<dl>
			<${Fact} name=${t('health.waiting')}>${t('health.ofLimit', is.waiting,
				is.limit)}<${Places} taken=${is.waiting} limit=${is.limit} /></${Fact}>
			<${Fact} name=${t('health.usual')}>${is.usualMs === null ? '–'
				: formatDuration(is.usualMs)}<${Latency} ms=${is.usualMs} /></${Fact}>
			<${Fact} name=${t('health.answeredAt')}><${Clock}
				at=${is.answeredAt} /></${Fact}>
			<${Fact} name=${t('health.lastFailure')}>${is.lastFailure
				? html`<${Clock} at=${is.lastFailure.at} /><span class="muted"> ${
					failureText(is.lastFailure)}</span>` : '–'}</${Fact}>
		</dl>
		<${Curve} values=${history.map((it) => it.partners[name].waiting)}
			what=${t('health.curve', history.length)} />
		<p class="muted curve-name">${t('health.curveName')}</p>
	</li>`;
}

// ---- open operations ----

function ageText(belowS, before) {
	if (belowS === null) return t('health.over', formatDuration(before * 1000));
	return t('health.below', formatDuration(belowS * 1000));
}

function Stack({ row, top }) {
	return html`<div class="stack" aria-hidden="true">${OPEN.map((state) =>
		html`<span data-state=${state} style=${{
			width: `${(100 * row[state]) / top}%` }} />`)}</div>`;
}

function Bars({ rows, caption }) {
	const top = Math.max(1, ...rows.map(([, row]) => row.RUNNING + row.SETTLING));

	return html`<table class="bars"><caption>${caption}</caption><thead
		class="sr"><tr><th scope="col">${caption}</th><th scope="col">${
		t('health.drawn')}</th><th scope="col">${t('health.number')}</th></tr></thead>
		<tbody>${rows.map(([name, row]) => html`<tr key=${name}><th scope="row"
			>${name}</th><td><${Stack} row=${row} top=${top} /></td><td class="num"
			title=${t('health.runningSettling', row.RUNNING, row.SETTLING)}>${
			formatNumber(row.RUNNING + row.SETTLING)}</td></tr>`)}</tbody></table>`;
}

const OPEN_COLUMNS = [
	{ title: t('operation.colKind'), cell: (it) => html`<a href=${href(
		`/operation/${it.operationId}`)}><bdi>${t('operation.role', it.kind,
		ticketName(it.ntt))}</bdi></a>` },
	{ title: t('operation.colCtt'), cell: (it) => (it.ctt ? html`<a href=${href(
		`/ctt/${it.ctt.id}`)}><bdi>${ticketName(it.ctt)}</bdi></a>` : '–') },
	{ title: t('operation.colState'), cell: (it) =>
		html`<${State} value=${it.state} />` },
	{ title: t('operation.colPartner'), cell: (it) => partnerName(it.partner) },
	{ title: t('operation.fact_began'), cell: (it) =>
		html`<${Time} at=${it.createdAt} />` },
	{ title: t('operation.colOperation'), wide: true, cell: (it) =>
		html`<${Id} text=${it.operationId} />` },
];

function Oldest({ oldest }) {
	if (!oldest) return html`<p class="muted">${t('health.noOldest')}</p>`;
	return html`<p>${t('health.oldest')} <a href=${href(
		`/operation/${oldest.operationId}`)}><bdi>${t('operation.heading',
		oldest.kind, ticketName(oldest.ctt), ticketName(oldest.ntt))}</bdi></a>, ${
		formatDuration(oldest.ageS * 1000)}, ${t('health.tries',
		oldest.tries)}.${oldest.lastError && html` <q class="words-short"><bdi>${
		oldest.lastError}</bdi></q>`}</p>`;
}

function Operations({ operations }) {
	const { ages, kinds, oldest } = operations;

	if (!ages) {
		return html`<${Empty} what=${t('health.unknown')}
			why=${t('health.dbKnows')} />`;
	}
	return html`<div class="health-pair">
		<div class="panel"><${Bars} caption=${t('health.byAge')} rows=${ages.map(
			(row, i) => [ageText(row.belowS, ages[i - 1]?.belowS), row])} /></div>
		<div class="panel"><${Bars} caption=${t('health.byKind')} rows=${
			Object.entries(kinds).map(([kind, row]) => [t(`kind.${kind}`), row])} />
			<div class="oldest"><${Oldest} oldest=${oldest} /></div></div>
	</div>
	<ul class="key"><li><span data-state="RUNNING" /> ${t('health.keyRunning')
		}</li><li><span data-state="SETTLING" /> ${t('health.keySettling')}</li></ul>`;
}

// ---- jobs ----

const DEAD_COLUMNS = [
	{ title: t('operation.colJob'), cell: (job) =>
		html`<code><bdi>${job.type}</bdi></code>` },
	{ title: t('operation.colCtt'), cell: (job) => (job.ctt ? html`<a href=${
		href(`/ctt/${job.ctt.id}`)}><bdi>${ticketName(job.ctt)}</bdi></a>` : '–') },
	{ title: t('operation.colOperation'), cell: (job) => (job.operationId
		? html`<${Id} text=${job.operationId} to=${
			`/operation/${job.operationId}`} />` : '–') },
	{ title: t('operation.colAttempts'), num: true, cell: (job) => job.attempts },
	{ title: t('health.diedAt'), cell: (job) => html`<${Time}
		at=${job.diedAt} />` },
	{ title: t('operation.colLast'), wide: true, cell: (job) =>
		html`<bdi>${job.lastError ?? '–'}</bdi>` },
];

function Jobs({ jobs, history }) {
	const top = Math.max(1, jobs.READY ?? 0, jobs.RUNNING ?? 0, jobs.DEAD ?? 0);

	return html`<div class="health-pair">
		<div class="panel"><table class="bars"><caption>${t('health.byState')
			}</caption><tbody>${['READY', 'RUNNING', 'DEAD'].map((state) => html`<tr
			><th scope="row"><${State} value=${state} /></th><td><div class="stack"
			aria-hidden="true"><span data-state=${state} style=${{
				width: `${(100 * (jobs[state] ?? 0)) / top}%` }} /></div></td><td
			class="num">${countText(jobs[state])}</td></tr>`)}</tbody></table></div>
		<div class="panel"><p class="oldest-job">${jobs.oldestS === null
			? t('health.noneWaits') : t('health.oldestJob',
				formatDuration(jobs.oldestS * 1000))}</p>
			<${Curve} values=${history.map((it) => it.jobs.READY)}
				what=${t('health.curveJobs', history.length)} />
			<p class="muted curve-name">${t('health.curveJobsName')}</p></div>
	</div>`;
}

function Dead({ jobs }) {
	if (!jobs.dead?.length) {
		return html`<p class="muted">${jobs.dead ? t('health.noDead')
			: t('health.dbKnows')}</p>`;
	}
	return html`<${Table} columns=${DEAD_COLUMNS} rows=${jobs.dead}
		rowKey=${(job) => job.id} caption=${t('health.deadRows')} />
		<p class="muted">${t('health.deadDo')}</p>`;
}

// ---- parts ----

function Part({ name, shape, word, children }) {
	return html`<li class="panel part"><header><h3>${name}</h3><${State}
		value=${shape} label=${word} /></header><dl>${children}</dl></li>`;
}

function lateText(s) {
	return s === null ? t('health.nothingDue') : formatDuration(s * 1000);
}

function Parts({ database, memcached, worker }) {
	const late = Math.max(worker.operationLateS ?? 0, worker.jobLateS ?? 0);
	const works = worker.running !== 0 && late <= LATE_S;

	return html`<ul class="parts">
		<${Part} name=${t('health.database')}
			shape=${database.up && database.writable ? 'good' : 'bad'}
			word=${!database.up ? t('health.away') : database.writable
				? t('health.takesWrites') : t('health.readOnly')}>
			<${Fact} name=${t('health.dbMs')}>${database.ms === null ? '–'
				: formatDuration(database.ms)}<${Latency} ms=${database.ms} /></${Fact}>
		</${Part}>
		<${Part} name=${t('health.worker')} shape=${works ? 'good' : 'bad'}
			word=${works ? t('health.works') : worker.running === 0
				? t('health.noneRuns') : t('health.isLate')}>
			<${Fact} name=${t('health.running')}>${worker.running ?? '–'}</${Fact}>
			<${Fact} name=${t('health.beatAt')}><${Clock} at=${worker.beatAt}
				/></${Fact}>
			<${Fact} name=${t('health.workedAt')}><${Clock} at=${worker.workedAt}
				/></${Fact}>
			<${Fact} name=${t('health.operationLate')}>${
				lateText(worker.operationLateS)}</${Fact}>
			<${Fact} name=${t('health.jobLate')}>${lateText(worker.jobLateS)}</${Fact}>
		</${Part}>
		<${Part} name=${t('health.cache')} shape=${memcached.up ? 'good' : 'warn'}
			word=${memcached.up ? t('health.up') : t('health.away')}>
			<${Fact} name=${t('health.without')}>${formatNumber(memcached.away)
				}</${Fact}>
		</${Part}>
	</ul>`;
}

// ---- the page ----

// What is under the pointer, or has the focus, stays as it was.
function Held({ value, children }) {
	const [held, hold] = useState(false);
	const shown = useRef(value);

	if (!held) shown.current = value;
	return html`<div class="held" data-held=${held}
		onPointerEnter=${() => hold(true)} onPointerLeave=${() => hold(false)}
		onFocusIn=${() => hold(true)} onFocusOut=${() => hold(false)}>${
		children(shown.current)}<p class="held-said muted" aria-hidden="true">${
		held && t('health.held')}</p></div>`;
}

function useHistory(data) {
	const [history, set] = useState([]);

	useEffect(() => {
		if (data) set((was) => [...was, data.health].slice(-KEPT));
	}, [data]);
	return history;
}

function Head({ data, paused, onPause, problem, reload }) {
	return html`<header class="health-head"><h1>${t('health.title')}</h1>
		<p class="read-at muted"><span>${t('health.readAt')} <time>${
			formatClock(data.at)}</time>${paused && ` · ${t('health.paused')}`
			}</span> <${Button} aria-pressed=${paused} onClick=${onPause}>${paused
			? t('health.goOn') : t('health.pause')}</${Button}></p></header>
		<${Findings} health=${data.health} />
		${problem && html`<p class="muted">${t('operation.stale',
			formatClock(data.at))}</p><${Problem} problem=${problem}
			onRetry=${reload} />`}`;
}

function Forbidden({ problem }) {
	return html`<h1>${t('health.title')}</h1><${Empty}
		what=${t('health.forbidden')} why=${t('health.forbiddenWhy')} /><${Problem}
		problem=${problem} />`;
}

export default function Health() {
	const is = useLoad(read, []);
	const { data, problem, reload } = is;
	const [paused, pause] = useState(false);
	const history = useHistory(data);
	const forbidden = problem?.status === 403;

	useTitle(t('health.title'));
	useAgain(paused || forbidden ? 0 : EVERY_MS, is);
	if (forbidden) return html`<${Forbidden} problem=${problem} />`;
	if (!data) {
		return html`<h1>${t('health.title')}</h1>${problem ? html`<${Problem}
			problem=${problem} onRetry=${reload} />` : html`<${Loading} />`}`;
	}
	const { health, open } = data;

	return html`<article class="health">
		<${Head} data=${data} paused=${paused} problem=${problem} reload=${reload}
			onPause=${() => pause(!paused)} />
		<${Section} title=${t('health.partners')}><ul class="partners">${
			PARTNERS.map((name) => html`<${Partner} key=${name} name=${name}
				is=${health.partners[name]} history=${history} />`)}</ul></${Section}>
		<${Section} title=${t('health.parts')}><${Parts} ...${health} /></${Section}>
		<${Section} title=${t('health.operations')}><${Operations} ...${health}
			/></${Section}>
		<${Section} title=${t('health.jobs')}><${Jobs} jobs=${health.jobs}
			history=${history} /></${Section}>
		<${Section} title=${t('health.dead')}><${Held} value=${health.jobs}>${
			(jobs) => html`<${Dead} jobs=${jobs} />`}</${Held}></${Section}>
		<${Section} title=${t('health.openList')}><${Held} value=${open}>${
			(rows) => (rows.length ? html`<${Table} columns=${OPEN_COLUMNS}
				rows=${rows} rowKey=${(it) => it.operationId}
				caption=${t('health.openRows')} />`
				: html`<p class="muted">${t('health.noOpen')}</p>`)}</${Held}></${Section}>
	</article>`;
}
