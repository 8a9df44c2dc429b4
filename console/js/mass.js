// Many tickets and one thing to be done with them, in portions. No DOM here.
//
// A run knows its lines, what became of each (an outcome), and its portions. A
// portion's request id and Idempotency-Key are `<run>.<n>`, its body follows from
// the run alone: whoever sends it again, after an answer that was lost or a page
// that was closed, has the first answer again, and nothing is done twice. What is
// tried again on purpose goes in a portion of a new number.
//
// An outcome: {kind, did, code, detail, values, cttId, no, op, partner, tries}
//
//	ready		the dry run would do it		wait	to be sent
//	done		done here and at the partner
//	skipped		nothing is to be done: is so already, closed, twice in the list
//	failed		done on neither side; code and detail say why
//	unknown		the partner has not answered; its operation is asked until
//			it is settled
//
// An answer that is replayed counts as the first one. `pending` of a resolve is
// unknown: it goes on, and nobody knows yet how it ends.
//
// api: post(path, body, {key, requestId, dryRun}), get(path); both throw problems
// with {status, code, detail, body, retryAfter}, status 0 if nothing was reached.

export const PORTION = 500;

// The server forgets a key after 24 h.
const KEY_LASTS_MS = 23 * 3600 * 1000;
const BUSY_TRIES = 5;
const LONGEST_WAIT_S = 30;

// ---- what is asked for ----

function pairs(plan, names) {
	return { items: names.map((name) => ({ cttId: name, nttId: plan.ntt.id })) };
}

export const ACTIONS = {
	link: { path: '/ticket/ctt/link/bulk', kind: 'LINK', permission: 'link', body: pairs },
	unlink: { path: '/ticket/ctt/unlink/bulk', kind: 'UNLINK', permission: 'link', body: pairs },
	move: {
		path: '/ticket/ctt/unlink-then-link', kind: 'LINK', permission: 'link',
		body: (plan, names) => ({ nttId: plan.target.id, cttIds: names }),
	},
	resolve: {
		path: '/ticket/ctt/bulk-resolve-by-ticket-id', kind: 'RESOLVE', permission: 'status',
		body: (plan, names) => ({ ticketIds: names, ...plan.codes }),
	},
};

export function bodyOf(plan, names) {
	const body = ACTIONS[plan.action].body(plan, names);

	return plan.remark ? { ...body, remark: plan.remark } : body;
}

export function newId(now = Date.now()) {
	const random = crypto.getRandomValues(new Uint32Array(2));

	return `m${now.toString(36)}-${[...random].map((n) => n.toString(36)).join('')}`;
}

export function cut(lines, size) {
	return Array.from({ length: Math.ceil(lines.length / size) },
		(_, i) => lines.slice(i * size, (i + 1) * size));
}

// ---- what an answer says of a line ----

const DONE = new Set(['linked', 'unlinked', 'moved', 'resolved']);

function kindOf(plan, result) {
	const code = result.error?.code;

	if (DONE.has(result.outcome))
		return 'done';
	if (result.outcome === 'already-on-target' || result.outcome === 'skipped')
		return 'skipped';
	if (result.outcome === 'unknown' || result.outcome === 'pending')
		return 'unknown';
	return plan.action === 'link' && code === 'CTT_ALREADY_LINKED'
		&& result.error.nttId === plan.ntt.id ? 'skipped' : 'failed';
}

export function judge(plan, result) {
	const { error } = result;

	return {
		kind: kindOf(plan, result),
		did: result.outcome,
		code: error?.code ?? (result.outcome === 'already-on-target' ? 'ALREADY_ON_TARGET' : null),
		detail: error?.detail ?? null,
		cttId: result.cttId,
		no: result.cttTicketNo ?? result.ticketNo ?? null,
		op: result.operationId ?? result.unlinkOperationId ?? null,
		partner: result.route ?? error?.partner ?? null,
		retryAfter: error?.retryAfter ?? 0,
	};
}

const OPEN = new Set(['RUNNING', 'SETTLING']);

// What the operations of one CTT, of one portion, come to.
export function judgeOperations(plan, operations) {
	const { kind } = ACTIONS[plan.action];
	const wanted = operations.filter((op) => op.kind === kind
		&& (plan.action !== 'move' || op.ntt?.id === plan.target.id)).at(-1);
	const last = wanted ?? operations.at(-1);

	if (!last)
		return null;
	const outcome = { op: last.operationId, partner: last.partner, code: null, detail: null };
	if (operations.some((op) => OPEN.has(op.state)))
		return { ...outcome, kind: 'unknown', code: 'NO_ANSWER' };
	if (wanted?.state === 'SUCCEEDED')
		return { ...outcome, kind: 'done' };
	return { ...outcome, kind: 'failed', code: last.errorCode ?? last.state };
}

// How many lines of a portion are closed, by its operations' states.
export function closedOf(plan, counts = {}) {
	const closed = Object.entries(counts).filter(([state]) => !OPEN.has(state))
		.reduce((sum, [, n]) => sum + n, 0);

	return plan.action === 'move' ? Math.floor(closed / 2) : closed;
}

// ---- problems ----

// What passes by itself: the same request is sent again, with the same key.
export function passes(problem) {
	return [0, 408, 425, 429, 502, 503, 504].includes(problem.status)
		|| ['IDEMPOTENCY_IN_PROGRESS', 'NOT_JSON'].includes(problem.code);
}

export function waitFor(problem, tries) {
	return problem.retryAfter || problem.body?.retryAfter
		|| Math.min(2 ** tries, LONGEST_WAIT_S);
}

// A list that is longer than this server takes (CTT_BULK_MAX_ITEMS).
function isTooMany(problem) {
	return problem.code === 'VALIDATION_FAILED' && (problem.body?.errors ?? [])
		.some((e) => ['items', 'cttIds', 'ticketIds'].includes(e.field));
}

function sleepFor(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

// One page at a time goes on with a run. Where a browser has no locks, the keys
// alone must do.
async function onlyHere(id, work) {
	if (!globalThis.navigator?.locks)
		return work();
	return navigator.locks.request(`cttd-run-${id}`, { ifAvailable: true },
		(lock) => lock ? work() : Promise.reject(new Elsewhere()));
}

export class Elsewhere extends Error {
	constructor() {
		super('RUN_ELSEWHERE');
		Object.assign(this, { status: 409, code: 'RUN_ELSEWHERE' });
	}
}

// ---- the run ----

export class Mass {
	constructor({ plan, names, ats, api, store, changed = () => {}, now = Date.now,
		sleep = sleepFor, lock = onlyHere }) {
		Object.assign(this, { plan, names, ats, api, store, changed, now, sleep, lock });
		this.outcomes = names.map(() => ({ kind: 'wait' }));
		this.counts = { ready: 0, wait: names.length, done: 0, skipped: 0, failed: 0, unknown: 0 };
		this.portions = [];
		this.size = PORTION;
		this.state = 'new';
		this.checked = 0;
		this.problem = this.waiting = null;
	}

	// One that was kept.
	static async open(id, options) {
		const kept = await options.store.load(id);
		const run = new Mass({ ...options, plan: kept.record.plan, names: kept.lines.names,
			ats: kept.lines.ats });

		run.size = kept.record.size;
		run.state = kept.record.state === 'done' ? 'done' : 'paused';
		kept.lines.outcomes.forEach((outcome, i) => run.put(i, outcome));
		for (const portion of kept.portions) {
			run.portions.push(portion);
			portion.lines.forEach((i, at) =>
				run.put(i, portion.outcomes?.[at] ?? { ...run.outcomes[i], kind: 'wait' }));
		}
		return run;
	}

	put(i, outcome) {
		this.counts[this.outcomes[i].kind]--;
		this.counts[outcome.kind]++;
		this.outcomes[i] = { ...this.outcomes[i], ...outcome };
	}

	// The lines of a kind.
	of(...kinds) {
		return this.names.map((_, i) => i).filter((i) => kinds.includes(this.outcomes[i].kind));
	}

	get inHand() {
		return this.state === 'running' ? this.portions.find((p) => p.state !== 'answered') : null;
	}

	// Of all that was to be sent: what is closed, the operations under way included.
	get progress() {
		const sent = this.portions.reduce((sum, p) => sum + p.lines.length, 0);
		const answered = this.portions.filter((p) => p.state === 'answered')
			.reduce((sum, p) => sum + p.lines.length, 0);

		return { of: sent, closed: answered + (this.inHand?.closed ?? 0) };
	}

	stop() {
		this.stopping = true;
		this.wake?.();
	}

	async pause(seconds, problem) {
		if (this.stopping)
			return;
		const woken = new Promise((resolve) => {
			this.wake = resolve;
		});

		this.waiting = { until: this.now() + seconds * 1000, seconds, problem };
		this.changed();
		await Promise.race([this.sleep(seconds * 1000), woken]);
		this.waiting = null;
		this.changed();
	}

	// ---- the dry run ----

	async check() {
		this.begin('checking');
		try {
			await this.checkAll();
			await this.findPartners();
		} catch (problem) {
			this.problem = problem;
		}
		this.state = this.checked === this.names.length && !this.problem ? 'checked' : 'new';
		this.changed();
	}

	async checkAll() {
		for (let n = 0; this.checked < this.names.length && !this.stopping;) {
			const lines = this.names.map((_, i) => i).slice(this.checked, this.checked + this.size);
			const answer = await this.ask(lines, `${this.plan.id}.d${n}`);
			if (answer) {
				this.take(lines, answer.results, true);
				this.checked += lines.length;
				n++;
				this.changed();
			}
		}
	}

	// The answer to a dry run, or null: once more, in smaller portions perhaps.
	async ask(lines, requestId) {
		const names = lines.map((i) => this.names[i]);

		try {
			return await this.api.post(ACTIONS[this.plan.action].path,
				bodyOf(this.plan, names), { requestId, dryRun: true });
		} catch (problem) {
			if (problem.body?.results)
				return problem.body;
			if (isTooMany(problem) && lines.length > 1)
				this.size = Math.ceil(lines.length / 2);
			else if (passes(problem))
				await this.pause(waitFor(problem, this.tries++), problem);
			else
				throw problem;
			return null;
		}
	}

	take(lines, results, dry = false) {
		const seen = dry ? this.seen : null;

		lines.forEach((i, at) => {
			const outcome = judge(this.plan, results[at]);
			if (dry && outcome.kind === 'done')
				outcome.kind = 'ready';
			this.put(i, seen?.has(outcome.cttId) && outcome.cttId ? { ...outcome, kind: 'skipped',
				code: 'SAME_TICKET', detail: null, values: { at: this.ats[seen.get(outcome.cttId)] } }
				: outcome);
			if (outcome.cttId && !seen?.has(outcome.cttId))
				seen?.set(outcome.cttId, i);
		});
		this.tries = 0;
	}

	// Whom the lines that are ready are told: a resolve's dry run says it, a link's
	// follows the CTT's source.
	async findPartners() {
		const ready = this.of('ready');

		if (this.plan.action === 'resolve' || this.stopping)
			return;
		const found = await sources(this.api, ready.map((i) => this.outcomes[i].cttId));
		for (const i of ready)
			this.outcomes[i].partner = found.get(this.outcomes[i].cttId) ?? null;
	}

	partners() {
		const counts = {};

		for (const i of this.of('ready', 'wait')) {
			const name = this.outcomes[i].partner ?? 'UNKNOWN';
			counts[name] = (counts[name] ?? 0) + 1;
		}
		return counts;
	}

	// ---- the real thing ----

	begin(state) {
		this.state = state;
		this.stopping = false;
		this.problem = this.waiting = null;
		this.tries = 0;
		this.seen = new Map();
		this.changed();
	}

	// What the dry run found ready. What it refused is not sent.
	go() {
		return this.run(async () => {
			this.plan.total = this.counts.ready;
			this.add(this.of('ready'));
			await this.keep(() => this.store.putLines(this.plan.id, { names: this.names,
				ats: this.ats, outcomes: this.outcomes.map(withoutNothing) }));
			await this.keepPortions(this.portions);
		});
	}

	// Once more, what failed.
	again(lines = this.of('failed')) {
		return this.run(() => this.keepPortions(this.add(lines)));
	}

	add(lines) {
		const portions = cut(lines, this.size).map((part, i) => ({ n: this.portions.length + i + 1,
			lines: part, state: 'waiting', sentAt: null, outcomes: null }));

		for (const i of lines)
			this.put(i, { kind: 'wait', code: null, detail: null, values: null });
		this.portions.push(...portions);
		return portions;
	}

	// To the end, or until it is stopped, or meets what does not pass by itself.
	async run(prepare = () => {}) {
		this.begin('running');
		try {
			await this.lock(this.plan.id, async () => {
				await prepare();
				await this.carryAll();
			});
		} catch (problem) {
			this.problem = problem;
		}
		this.state = this.counts.wait || this.counts.unknown ? 'paused' : 'done';
		if (!(this.problem instanceof Elsewhere))
			await this.keepRecord();
		this.changed();
	}

	async carryAll() {
		await this.keepRecord();
		while (!this.stopping) {
			const portion = this.portions.find((p) => p.state !== 'answered')
				?? await this.addBusy();
			if (!portion)
				break;
			await this.carry(portion);
			await this.keepRecord();
		}
		for (let tries = 0; this.counts.unknown && !this.stopping; tries++) {
			if (tries)
				await this.pause(Math.min(2 ** (tries - 1), 10), { code: 'UNKNOWN_LINES' });
			await this.settle();
		}
	}

	// Lines that met a partner with too much to do, or a database that was away:
	// of these nothing was begun, and it passes.
	async addBusy() {
		const busy = this.of('failed').filter((i) => {
			const { code, tries = 0 } = this.outcomes[i];
			return ['PARTNER_BUSY', 'DB_UNAVAILABLE'].includes(code) && tries < BUSY_TRIES
				&& this.portions.length;
		});

		if (!busy.length)
			return null;
		const { code, detail } = this.outcomes[busy[0]];
		await this.pause(Math.max(1, ...busy.map((i) => this.outcomes[i].retryAfter)),
			{ status: 503, code, detail });
		if (this.stopping)
			return null;
		for (const i of busy)
			this.outcomes[i].tries = (this.outcomes[i].tries ?? 0) + 1;
		const portions = this.add(busy);
		await this.keepPortions(portions);
		return portions[0];
	}

	// One portion, until it is answered or the run is stopped.
	async carry(portion) {
		const id = `${this.plan.id}.${portion.n}`;
		const body = bodyOf(this.plan, portion.lines.map((i) => this.names[i]));

		this.tries = 0;
		if (portion.sentAt && this.now() - portion.sentAt > KEY_LASTS_MS
			&& await this.lookUp(portion))
			return;
		portion.state = 'sent';
		portion.sentAt ??= this.now();
		await this.keepPortions([portion]);
		do {
			const unwatch = this.watch(portion, id);
			try {
				const answer = await this.api.post(ACTIONS[this.plan.action].path, body,
					{ key: id, requestId: id });
				this.take(portion.lines, answer.results);
				await this.answered(portion);
			} catch (problem) {
				await this.refused(portion, problem);
			} finally {
				unwatch();
			}
		} while (portion.state !== 'answered' && !this.stopping);
	}

	async answered(portion) {
		portion.state = 'answered';
		portion.outcomes = portion.lines.map((i) => withoutNothing(this.outcomes[i]));
		await this.keepPortions([portion]);
		this.changed();
	}

	// A whole portion that was not taken. Who may not, or is signed out, waits as
	// it is; what is refused for good is an outcome; of a fault the operations know
	// more than the answer.
	async refused(portion, problem) {
		if (problem.body?.results && problem.status !== 503) {
			this.take(portion.lines, problem.body.results);
			return this.answered(portion);
		}
		if (passes(problem))
			return this.pause(waitFor(problem, this.tries++), problem);
		if (!problem.status || [401, 403].includes(problem.status))
			throw problem;
		if (problem.status < 500 || !await this.lookUp(portion, problem))
			await this.failAll(portion, problem);
		throw problem;
	}

	async failAll(portion, { code, detail }) {
		for (const i of portion.lines)
			this.put(i, { kind: 'failed', code, detail });
		await this.answered(portion);
	}

	// ---- the operations ----

	// While a portion is in hand: how far it is.
	watch(portion, id) {
		let live = true;

		const look = async () => {
			for (await this.sleep(700); live; await this.sleep(1000)) {
				const list = await this.api.get(`/ticket/operation?requestId=${id}&limit=1`)
					.catch(() => null);
				if (list && live) {
					portion.closed = Math.min(closedOf(this.plan, list.counts), portion.lines.length);
					this.changed();
				}
			}
		};
		look();
		return () => {
			live = false;
		};
	}

	// All operations of a portion, by CTT.
	async operations(portion) {
		const of = new Map();
		let after = '';

		do {
			const list = await this.api.get('/ticket/operation?limit=200'
				+ `&requestId=${this.plan.id}.${portion.n}${after}`);
			for (const op of list.items)
				of.set(op.ctt.id, [...of.get(op.ctt.id) ?? [], op]);
			after = list.next === null ? null : `&after=${list.next}`;
		} while (after !== null);
		return of;
	}

	// The outcome of a portion from its operations, if it has any.
	async lookUp(portion, { code = 'NOT_SENT', detail = null } = {}) {
		const of = await this.operations(portion);

		if (!of.size)
			return false;
		for (const i of portion.lines)
			this.put(i, judgeOperations(this.plan, of.get(this.outcomes[i].cttId) ?? [])
				?? { kind: 'failed', code, detail });
		await this.answered(portion);
		return true;
	}

	// Asks once for all lines that are unknown.
	async settle() {
		for (const portion of this.portions) {
			const unknown = portion.lines.filter((i) => this.outcomes[i].kind === 'unknown');
			if (!unknown.length || this.stopping)
				continue;
			const of = await this.operations(portion).catch((problem) => {
				if (!passes(problem))
					throw problem;
				return new Map();
			});
			for (const i of unknown) {
				const found = judgeOperations(this.plan, of.get(this.outcomes[i].cttId) ?? []);
				if (found)
					this.put(i, found);
			}
			await this.answered(portion);
		}
	}

	// ---- what is kept ----

	async keep(work) {
		try {
			await work();
		} catch {
			this.unkept = true;
		}
	}

	keepPortions(portions) {
		return this.keep(() => this.store.putPortions(this.plan.id,
			portions.map(({ closed, ...portion }) => portion)));
	}

	keepRecord() {
		const { plan, size, state, counts } = this;

		return this.keep(() => this.store.putRecord({ id: plan.id, plan, size, state,
			total: this.names.length, counts: { ...counts }, at: this.now() }));
	}
}

function withoutNothing(outcome) {
	return Object.fromEntries(Object.entries(outcome)
		.filter(([, value]) => value !== null && value !== undefined && value !== 0));
}

// ---- beside a run ----

// The sources of CTTs, by id. The list is read from one wanted id to the next: of
// an outage's tickets, which came together, a page has many.
export async function sources(api, ids, most = 200) {
	const wanted = new Set(ids);
	const sorted = [...wanted].sort((a, b) => a - b);
	const found = new Map();

	for (let i = 0, asked = 0; i < sorted.length && asked < most; asked++) {
		const page = await api.get(`/ticket/ctt?limit=200&after=${sorted[i] - 1}`).catch(() => null);
		const last = page?.items.at(-1)?.id ?? 0;
		for (const ctt of page?.items ?? [])
			if (wanted.has(ctt.id))
				found.set(ctt.id, ctt.source);
		if (last < sorted[i])
			break;
		while (i < sorted.length && sorted[i] <= last)
			i++;
	}
	return found;
}

const CODES = ['causeCode', 'disposition', 'resolutionCode', 'delayReason'];

// Which codes this server requires: a dry run without any names them, if there is
// a ticket that could be resolved.
export async function requiredCodes(api, names) {
	const usual = CODES.slice(0, 3);

	if (!names.length)
		return usual;
	const answer = await api.post(ACTIONS.resolve.path, { ticketIds: names }, { dryRun: true })
		.catch((problem) => problem.body ?? {});
	const results = answer.results ?? [];
	if (results.some((r) => r.outcome === 'resolved'))
		return [];
	const missing = results.find((r) => r.error?.code === 'RESOLUTION_CODE_INVALID')
		?.error.errors.map((e) => e.field);
	return missing ? CODES.filter((code) => missing.some((field) => field.endsWith(code))) : usual;
}

// All CTTs of an NTT, by number.
export async function cttsOf(api, ntt, most) {
	const names = [];
	let after = '';

	while (after !== null && names.length < most) {
		const page = await api.get(`/ticket/ntt/${ntt}/ctts?limit=200${after}`);
		names.push(...page.items.map((ctt) => ctt.ticketNo));
		after = page.next === null ? null : `&after=${page.next}`;
	}
	return names;
}
