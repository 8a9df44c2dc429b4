// What an operation did, as the checklist of its kind: the data of the picture
// and the text for a mail. No DOM in here.

import { formatDuration, formatUtc } from './format.js';
import { remedyOf, t, word } from './texts.js';

// The steps in their order, by what they are about.
export const CHECKLIST = {
	LINK: [
		['checks', ['load_ctt', 'load_ntt', 'check_idle',
			'check_not_linked', 'check_unlink_block']],
		['here', ['save_local']],
		['partner', ['sync_partner', 'rollback']],
		['after', ['update_ctt_count', 'enqueue_jobs', 'write_audit']],
	],
	UNLINK: [
		['checks', ['load_ctt', 'check_linked', 'check_idle',
			'check_unlink_block']],
		['here', ['clear_local']],
		['partner', ['sync_partner', 'rollback']],
		['after', ['set_unlink_block', 'enqueue_jobs', 'follow_up',
			'update_ctt_count', 'write_audit']],
	],
	RESOLVE: [
		['checks', ['load_activity', 'check_not_terminal', 'check_idle',
			'check_status', 'check_codes']],
		['partner', ['sync_partner']],
		['here', ['save_activity']],
		['after', ['enqueue_jobs', 'add_note', 'write_audit']],
	],
	CPE_UPDATE: [
		['checks', ['load_ctt', 'load_network_elements', 'check_eligible',
			'check_current', 'check_idle']],
		['partner', ['sync_partner']],
		['here', ['save_local']],
		['after', ['write_history', 'write_audit']],
	],
};

export function partnerName(code) {
	return code ? word('partner', code) : '';
}

export function stateWord(state) {
	const known = word('state', state);

	return Array.isArray(known) ? known[0] : state;
}

export function isOpen(state) {
	return state === 'RUNNING' || state === 'SETTLING';
}

// ---- what a step answers ----

const ASSUMED = /; after \d+ such answers it is assumed that \w+ has nothing of it$/;
const BY_HAND = /; closed by hand as (done|undone) by /;
const FORCED = /; forced$/;
const AGAIN = '; asked again: ';

// What was concluded without a yes or a no. The words of a partner may look
// like it; the outcome tells most of them apart.
function assumption({ outcome, detail }, name) {
	if (!detail) return null;
	if (name !== 'sync_partner' && name !== 'rollback') return null;
	if (outcome === 'ok' && FORCED.test(detail)) return 'forced';
	if (/^closed by hand as /.test(detail)) return 'byHand';
	if (ASSUMED.test(detail)) return 'assumed';
	return outcome !== 'failed' && BY_HAND.test(detail) ? 'byHand' : null;
}

// The mark is the shape that is drawn; the answer is the word beside it.
const PLAIN = { ok: 'ok', failed: 'failed', skipped: 'skipped',
	unknown: 'unknown' };

function markOf(name, step) {
	const why = assumption(step, name);

	if (why) return { mark: 'assumed', answer: why };
	if (name === 'rollback') return { mark: 'undone', answer: 'ok' };
	if (name === 'sync_partner' && step.outcome === 'unknown'
		&& step.detail?.includes(AGAIN)) {
		return { mark: 'unknown', answer: 'unknownAtFirst' };
	}
	return { mark: PLAIN[step.outcome] ?? 'unknown', answer: step.outcome };
}

// A step that is not in the trace: it is still to come, was not needed, or was
// never reached. What was taken back here has only its audit still to come.
function absent(name, op) {
	const back = op.steps.some((step) => step.step === 'rollback');

	if (isOpen(op.state) && (!back || name === 'write_audit')) return 'waiting';
	return name === 'rollback' ? 'unneeded' : 'unreached';
}

// ---- the partner's words ----

const ANSWERED = /^((?:TaaS|TMF|NIG) answered .{0,80}? with HTTP \d{3}): ([^]*)$/;

// 'TaaS answered the call with HTTP 422: {...}' is what we say, and what the
// partner said. What is assumed of it stands behind its words.
function said(text, mark) {
	const tail = mark === 'assumed'
		? /; (after \d+ such answers it is assumed [^;]*|forced|closed by hand as [^]*)$/
			.exec(text) : null;
	const whole = tail ? text.slice(0, tail.index) : text;
	const found = ANSWERED.exec(whole);

	return { told: found ? found[1] : whole, words: found ? found[2] : null,
		then: tail ? capital(tail[1]) : null };
}

function capital(text) {
	return text.replace(/^[a-z]/, (c) => c.toUpperCase());
}

const TAKEN_BACK = /^(The [\w ]+ was taken back here); ([^]+)$/;

// What stands beside a step: [{again, told, words, then}].
function detailsOf(name, step, mark) {
	const text = step.detail && capital(step.detail);

	if (!text) return [];
	const back = name === 'rollback' ? TAKEN_BACK.exec(text) : null;
	if (back) {
		return [{ told: back[1], words: null, then: null },
			said(back[2], mark)];
	}
	const at = name === 'sync_partner' ? text.indexOf(AGAIN) : -1;
	if (at < 0) return [said(text, mark)];
	return [said(text.slice(0, at), null),
		{ again: true, ...said(text.slice(at + AGAIN.length), mark) }];
}

// ---- time ----

function timeOf(step) {
	const end = Date.parse(step.at);

	return { from: end - step.ms, to: end };
}

const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000,
	30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 21_600_000,
	86_400_000, 604_800_000, 2_592_000_000];
const TICKS_LOG = [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000,
	86_400_000, 864_000_000];
const FAR = 150; // so many times as long as the call: a linear scale shows no call

// From ms since the beginning to 0..1. Where the end is far behind the call it
// is logarithmic, and says so.
export function scaleOf(span, shortest) {
	const log = span > FAR * Math.max(shortest, 1);
	const place = log
		? (ms) => Math.log1p(Math.max(ms, 0)) / Math.log1p(span)
		: (ms) => Math.max(ms, 0) / span;
	const step = TICKS.find((ms) => span / ms <= 5) ?? span;
	const ticks = log ? TICKS_LOG.filter((ms) => ms < span)
		: Array.from({ length: Math.floor(span / step) },
			(_, i) => (i + 1) * step);

	return { log, place, ticks: spread([0, ...ticks], place) };
}

// No two so near that their labels meet.
function spread(ticks, place) {
	const kept = [];

	for (const ms of ticks) {
		const at = place(ms);

		if (at <= 0.97 && (!kept.length || at - kept.at(-1).at >= 0.14)) {
			kept.push({ ms, at });
		}
	}
	return kept;
}

function spanOf(op, steps) {
	const times = steps.filter((step) => step.from !== null);
	const from = Math.min(Date.parse(op.createdAt),
		...times.map((step) => step.from));
	const jobs = op.jobs.map(jobTimes);
	const to = Math.max(from + 1, ...times.map((step) => step.to),
		...jobs.map((job) => job.to ?? job.from));
	const done = Math.max(from, ...times.map((step) => step.to));

	return { from, to, ms: done - from };
}

// ---- the jobs ----

const JOB_MARKS = { READY: 'waiting', RUNNING: 'waiting', DONE: 'ok',
	DEAD: 'failed' };

// One that is still to be delivered has no end.
function jobTimes(job) {
	const ended = job.state === 'DONE' || job.state === 'DEAD';

	return { from: Date.parse(job.createdAt),
		to: ended ? Date.parse(job.updatedAt) : null };
}

// What the checklist says of its jobs, where there are none.
function noJobs(op) {
	if (op.kind === 'CPE_UPDATE') return 'noJobsKind';
	if (isOpen(op.state)) return 'noJobsOpen';
	return op.steps.some((step) => step.step === 'enqueue_jobs'
		&& step.outcome === 'ok') ? 'noJobsGone' : 'noJobsFailed';
}

// ---- the whole ----

function stepOf(name, group, op) {
	const step = op.steps.find((it) => it.step === name);

	if (!step) {
		const mark = absent(name, op);

		return { name, group, mark, answer: mark, details: [], from: null,
			to: null, ms: null };
	}
	const { mark, answer } = markOf(name, step);

	return { name, group, mark, answer, ms: step.ms, ...timeOf(step),
		details: detailsOf(name, step, mark) };
}

// A check that refused is told in the words of the step that failed.
function whyRefused(op) {
	return op.steps.find((step) => step.outcome === 'failed')?.detail
		?? op.steps.findLast((step) => step.outcome === 'skipped')?.detail
		?? null;
}

// What became of it, and what one can do about it.
function verdictOf(op, steps) {
	const names = { kind: op.kind, ctt: ticketName(op.ctt),
		ntt: ticketName(op.ntt), partner: partnerName(op.partner) };
	const decided = steps.find((step) => step.mark === 'assumed')?.answer;
	const back = steps.some((step) => step.name === 'rollback'
		&& step.from !== null);
	const sync = steps.find((step) => step.name === 'sync_partner')?.mark;

	const facts = { ...names, state: op.state, decided, back,
		local: !op.partner || sync === 'skipped', refused: sync === 'failed',
		why: whyRefused(op) };

	return { verdict: t('operation.verdict', facts),
		advice: op.state === 'REFUSED' && op.errorCode && sync !== 'failed'
			? remedyOf({ code: op.errorCode }) : t('operation.advice', facts) };
}

export function ticketName(ticket) {
	return ticket ? ticket.ticketNo ?? `#${ticket.id}` : null;
}

// The operation as it is drawn.
export function picture(op) {
	const groups = CHECKLIST[op.kind] ?? [['checks',
		op.steps.map((step) => step.step)]];
	const steps = groups.flatMap(([group, names]) =>
		names.map((name) => stepOf(name, group, op)));
	const span = spanOf(op, steps);
	const call = steps.find((step) => step.name === 'sync_partner');

	return { op, steps, span, open: isOpen(op.state),
		jobs: op.jobs.map((job) => ({ ...job, ...jobTimes(job),
			mark: JOB_MARKS[job.state] ?? 'unknown' })),
		noJobs: op.jobs.length ? null : t(`operation.${noJobs(op)}`),
		scale: scaleOf(span.to - span.from, call?.ms ?? 0),
		title: t('operation.heading', op.kind, ticketName(op.ctt),
			ticketName(op.ntt)),
		...verdictOf(op, steps) };
}

// ---- what belongs together ----

// Operations of one request on one CTT, in their order. An unlink that a link
// to another NTT follows is a move; a link to where it was is its way back.
export function chain(operations) {
	const [first, next] = operations;
	const from = first?.ntt?.id;
	const moves = first?.kind === 'UNLINK' && next?.kind === 'LINK'
		&& next.ntt?.id !== from;

	return { moves, links: operations.map((op, i) => ({ op,
		role: moves && i > 1 && op.kind === 'LINK' && op.ntt?.id === from
			? 'back' : op.kind })),
	verdict: moves ? moveVerdict(operations, from) : null };
}

function moveVerdict(operations, from) {
	const [, next] = operations;
	const back = operations.find((op, i) => i > 1 && op.kind === 'LINK'
		&& op.ntt?.id === from);
	const names = { ctt: ticketName(next.ctt), to: ticketName(next.ntt),
		from: ticketName(operations[0].ntt) };

	if (operations.some((op) => isOpen(op.state))) {
		return t('operation.moveOpen', names);
	}
	if (next.state === 'SUCCEEDED') return t('operation.moved', names);
	return back?.state === 'SUCCEEDED' ? t('operation.movedBack', names)
		: t('operation.moveLost', names);
}

// The rows of an audit trail that this operation wrote.
export function auditOf(op, ...lists) {
	return lists.flat().filter((row) => row.operationId === op.operationId)
		.sort((a, b) => a.id - b.id);
}

// ---- the text for a mail ----

const WIDTH = 76;
const MARKS = { ok: '[x]', failed: '[!]', skipped: '[-]', unknown: '[?]',
	assumed: '[~]', undone: '[<]', unneeded: '[ ]', unreached: '[ ]',
	waiting: '[.]' };

// Lines of at most `width`; a word that is longer is cut.
export function wrapped(text, width) {
	const lines = [];

	for (const line of text.split(/\r?\n/)) {
		let now = '';

		for (const word of line.split(/(?<= )/)) {
			if (now && (now + word).trimEnd().length > width) {
				lines.push(now.trimEnd());
				now = '';
			}
			now += word;
			while (now.trimEnd().length > width) {
				const [cut] = cutAt(now, width);

				lines.push(cut);
				now = now.slice(cut.length);
			}
		}
		lines.push(now.trimEnd());
	}
	return lines;
}

// Never between the two halves of a character.
function cutAt(text, width) {
	const half = text.charCodeAt(width - 1);
	const at = half >= 0xd800 && half < 0xdc00 ? width - 1 : width;

	return [text.slice(0, at), text.slice(at)];
}

function indented(text, first, rest = first) {
	return wrapped(text, WIDTH - rest.length)
		.map((line, i) => (i ? rest : first) + line);
}

// Columns of which each is as wide as its widest.
function columns(rows, indent = '  ') {
	const widths = [];

	for (const row of rows) {
		row.forEach((cell, i) => {
			widths[i] = Math.max(widths[i] ?? 0, cell.length);
		});
	}
	return rows.map((row) => (indent + row.map((cell, i) =>
		cell.padEnd(widths[i])).join('  ')).trimEnd());
}

function factsOf(op, span, url) {
	const rows = [
		['operation', op.operationId],
		['request', op.requestId],
		['actor', op.actor],
		['partner', partnerName(op.partner)],
		['began', formatUtc(op.createdAt)],
		[isOpen(op.state) ? 'lastChange' : 'ended',
			`${formatUtc(op.updatedAt)} (${t('operation.after',
				formatDuration(span.ms))})`],
		['nextTry', op.nextTryAt && formatUtc(op.nextTryAt)],
		['error', op.errorCode],
		['page', url],
	];

	return columns(rows.filter(([, value]) => value)
		.map(([key, value]) => [t(`operation.fact_${key}`), value]), '');
}

function mailStep(step, span, partner, widths) {
	const name = t('operation.question', step.name, partner);
	const [question, ...more] = wrapped(name, widths.question);
	const head = [MARKS[step.mark], question.padEnd(widths.question),
		t('operation.answer', step.name, step.answer).padEnd(widths.answer),
		step.from === null ? ''
			: `+${formatDuration(step.to - span.from)}`.padStart(8)].join(' ')
		.trimEnd();

	return [head, ...more.map((line) => `    ${line}`),
		...step.details.flatMap(mailDetail)];
}

function mailDetail({ again, told, words, then }) {
	return [
		...indented((again ? t('operation.askedAgain') : '') + told, '      '),
		...words === null ? [] : indented(words, '      > '),
		...then === null ? [] : indented(then, '      '),
	];
}

function section(title, lines) {
	return lines.length ? ['', ...wrapped(title, WIDTH), ...lines] : [];
}

// All of it, plain and aligned. links: of chain(); audit: of auditOf().
export function mail(picture_, { links = null, audit = [], url = '' } = {}) {
	const { op, steps, span } = picture_;
	const partner = partnerName(op.partner);
	const widths = { question: 38, answer: Math.max(...steps.map((step) =>
		t('operation.answer', step.name, step.answer).length)) };
	const others = links && links.links.length > 1 ? links : null;

	return [
		...wrapped(`${picture_.title}: ${stateWord(op.state)}`, WIDTH),
		...wrapped(picture_.verdict, WIDTH), '',
		...factsOf(op, span, url),
		...section(t('operation.checklist'), steps.flatMap((step) =>
			mailStep(step, span, partner, widths))),
		...op.lastError && isOpen(op.state)
			? section(t('operation.lastError'), indented(op.lastError, '  > '))
			: [],
		...others ? section(others.verdict ?? t('operation.sameRequest'),
			columns(others.links.map(({ op: it, role }, i) => [
				`${i + 1}.`, t('operation.role', role, ticketName(it.ntt)),
				stateWord(it.state), it.operationId,
				it.operationId === op.operationId ? t('operation.thisOne') : '',
			]))) : [],
		...section(t('operation.jobs'), mailJobs(op)),
		...section(t('operation.audit'), columns(audit.map((row) => [
			`${row.ctt ? 'CTT' : 'NTT'} ${ticketName(row.ctt ?? row.ntt)}`,
			row.action, row.outcome, `#${row.id}`,
			formatUtc(row.createdAt)]))),
	].join('\n') + '\n';
}

function mailJobs(op) {
	const rows = columns(op.jobs.map((job) => [job.type,
		t(`operation.job_${job.state}`), t('operation.attempts', job.attempts),
		formatUtc(job.updatedAt)]));

	return op.jobs.flatMap((job, i) => [rows[i], ...job.lastError
		&& job.state !== 'DONE' ? indented(job.lastError, '    > ') : []]);
}
