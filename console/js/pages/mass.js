// One thing done with many tickets: the list, the dry run, the run, and what
// became of each line.

import { html, useEffect, useMemo, useRef, useState } from '../preact.js';
import { Field, Remark } from '../act.js';
import { api, asProblem, lov, Problem as ApiProblem } from '../api.js';
import { auth } from '../auth.js';
import { formatClock, formatNumber, trimmed } from '../format.js';
import { csv, decode, LIMIT, parse, Refused } from '../lines.js';
import { ACTIONS, cttsOf, Elsewhere, Mass, newId, requiredCodes } from '../mass.js';
import { href } from '../router.js';
import { open, runsOf } from '../runs.js';
import { t } from '../texts.js';
import { Button, Empty, Icon, Id, Loading, Problem, Section, State, Time, VirtualTable,
	usePermission } from '../ui.js';

const TYPED = 500;       // lines that are still edited as text
const SHOWN = 20;        // duplicates and wrong ones that are named
const ROW = 44;
const CODES = { causeCode: 'CAUSE_CODE', disposition: 'DISPOSITION',
	resolutionCode: 'RESOLUTION_CODE', delayReason: 'DELAY_REASON' };

const PARTNERS = new Set(['TAAS', 'TMF']);

const num = formatNumber;
const tickets = (n) => t('mass.counted', num(n));
const store = open();
const live = new Map();  // NTT's id -> the run that this page has in hand

// ---- the API, as a run has it ----

// A key counts only for who began with it.
function apiOf(actor) {
	const checked = (call) => (...args) => {
		if (auth.token() && auth.actor() !== actor)
			throw new ApiProblem({ status: 403, code: 'OTHER_ACTOR', title: t('problem.otherActor'),
				detail: t('problem.otherActorDetail', actor) });
		return call(...args);
	};

	return { get: checked(async (...args) => api.get(...args)),
		post: checked(async (...args) => api.post(...args)) };
}

function told(problem) {
	return problem instanceof Elsewhere ? new ApiProblem({ status: 409, code: 'RUN_ELSEWHERE',
		title: t('problem.elsewhere'), detail: t('problem.elsewhereDetail') }) : asProblem(problem);
}

// A run tells of each change; the page is drawn ten times a second at most.
function useRun(run) {
	const [version, again] = useState(0);

	useEffect(() => {
		if (!run) return undefined;
		let asked = 0;
		const draw = () => {
			asked = 0;
			again((n) => n + 1);
		};
		run.changed = () => {
			asked ||= setTimeout(draw, 100);
		};
		draw();
		return () => {
			run.changed = () => {};
			clearTimeout(asked);
		};
	}, [run]);
	return version;
}

function goalOf(plan) {
	return (plan.target ?? plan.ntt).ticketNo;
}

// ---- the list ----

// What was given: {text, name}; read once, and told.
function useList(source, column) {
	return useMemo(() => {
		try {
			return { found: parse(source.text, { column }) };
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			return { refused: t(`mass.${error.code}`, Object.fromEntries(
				Object.entries(error.values).map(([name, n]) => [name, num(n)]))) };
		}
	}, [source, column]);
}

function Some({ rows, say }) {
	return html`<details class="some"><summary>${t('mass.look')}</summary><ul>${
		rows.slice(0, SHOWN).map((row) => html`<li><bdi>${say(row)}</bdi></li>`)}${
		rows.length > SHOWN && html`<li>${t('mass.andMore', num(rows.length - SHOWN))}</li>`}</ul></details>`;
}

function Told({ list, column, onColumn }) {
	const { found, refused } = list;

	if (refused)
		return html`<p class="error" role="alert"><${Icon} name="bad" /> ${refused}</p>`;
	const { lines, duplicates, wrong, columns } = found;
	return html`<div class="told" aria-live="polite"><p><strong>${tickets(lines.length)}</strong>${
		found.header && `, ${t('mass.headed')}`}</p>
		${duplicates.length > 0 && html`<p>${t('mass.twice', num(duplicates.length))}</p><${Some}
			rows=${duplicates} say=${(d) => t('mass.lineTwice', num(d.at), d.name, num(d.first))} />`}
		${wrong.length > 0 && html`<p class="error">${t('mass.wrong', num(wrong.length))}</p><${Some}
			rows=${wrong} say=${(w) => t('mass.lineWrong', num(w.at), w.name, t(`mass.${w.why}`))} />`}
		${columns.length > 1 && html`<${Field} label=${t('mass.column')}>${(of) => html`<select ...${of}
			onChange=${(event) => onColumn(Number(event.target.value))}>${columns.map((c, i) => html`<option
			value=${i} selected=${i === (column ?? found.column)}>${
			t('mass.columnName', i + 1, c.title, c.sample)}</option>`)}</select>`}</${Field}>`}</div>`;
}

function lineCount(text) {
	let n = 1;

	for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1))
		n++;
	return n;
}

// A long list is not put into the field, which would take its time, but beside.
function Given({ source, onSource }) {
	const typed = !source.name && lineCount(source.text) <= TYPED;

	if (!typed)
		return html`<div class="given"><${Icon} name="good" /><bdi>${source.name ?? t('mass.pasted')}</bdi>
			<${Button} look="quiet" onClick=${() => onSource({ text: '' })}>${t('mass.remove')}</${Button}></div>`;
	return html`<textarea id="mass-list" class="numbers" rows="6" spellcheck=${false} autocomplete="off"
		aria-describedby="mass-list-hint" placeholder=${t('mass.listPlaceholder')} value=${source.text}
		onPaste=${(event) => {
			const text = event.clipboardData.getData('text/plain');
			if (lineCount(text) <= TYPED) return;
			event.preventDefault();
			onSource({ text: `${source.text.trimEnd()}\n${text}`.trimStart() });
		}}
		onInput=${(event) => onSource({ text: event.target.value })} />`;
}

async function fileText(file) {
	try {
		return { text: decode(await file.arrayBuffer()), name: file.name };
	} catch (error) {
		return { text: '', name: file.name,
			refused: t(error instanceof Refused ? `mass.${error.code}` : 'mass.UNREADABLE') };
	}
}

function ListField({ ntt, source, onSource, column, onColumn, list }) {
	const input = useRef(null);
	const [over, setOver] = useState(false);
	const [taking, setTaking] = useState(null);

	const drop = async (event) => {
		const [file] = event.dataTransfer.files;
		event.preventDefault();
		setOver(false);
		onSource(file ? await fileText(file) : { text: event.dataTransfer.getData('text/plain') });
	};
	const take = async () => {
		setTaking('busy');
		try {
			const names = await cttsOf(api, ntt.id, LIMIT + 1);
			onSource({ text: names.join('\n'), name: t('mass.taken', ntt.ticketNo) });
			setTaking(null);
		} catch (error) {
			setTaking(asProblem(error));
		}
	};

	return html`<div class="field list-field" data-over=${over} onDrop=${drop}
		onDragOver=${(event) => {
			event.preventDefault();
			setOver(true);
		}} onDragLeave=${() => setOver(false)}>
		<label for="mass-list">${t('mass.list')}</label>
		<${Given} source=${source} onSource=${onSource} />
		<p class="hint" id="mass-list-hint">${t('mass.listHint', num(LIMIT))}</p>
		<div class="mass-actions">
			<input type="file" hidden ref=${input}
				accept=".csv,.txt,.tsv,text/*" onChange=${async (event) => {
					const [file] = event.target.files;
					if (file) onSource(await fileText(file));
					event.target.value = '';
				}} />
			<${Button} onClick=${() => input.current.click()}>${t('mass.file')}</${Button}>
			${ntt.cttCount > 0 && html`<${Button} onClick=${take} busy=${taking === 'busy'}>${
				t('mass.linked', num(ntt.cttCount))}</${Button}>`}
		</div>
		${taking && taking !== 'busy' && html`<${Problem} problem=${taking} onRetry=${take} />`}
		${source.refused ? html`<p class="error" role="alert"><${Icon} name="bad" /> ${source.refused}</p>`
			: source.text && html`<${Told} list=${list} column=${column} onColumn=${onColumn} />`}
	</div>`;
}

// ---- what is to be done ----

function Choice({ ntt, action, onAction }) {
	const may = { link: usePermission('link'), status: usePermission('status') };

	return html`<fieldset class="choice"><legend>${t('mass.action')}</legend>${
		Object.keys(ACTIONS).map((name) => {
			const { may: allowed, why } = may[ACTIONS[name].permission];
			return html`<label data-off=${!allowed}><input type="radio" name="mass-action" value=${name}
				checked=${name === action} disabled=${!allowed} onChange=${() => onAction(name)} />
				<span><bdi>${t(`mass.${name}`, ntt.ticketNo)}</bdi>${!allowed && why
					&& html`<span class="hint"> ${why}</span>`}</span></label>`;
		})}</fieldset>`;
}

// The LOV, and which codes this server requires of such tickets.
function useCodes(wanted, names) {
	const [is, set] = useState({ values: null, required: [], problem: null });
	const first = names.slice(0, 20).join('\n');

	useEffect(() => {
		if (!wanted) return;
		Promise.all([lov(), requiredCodes(api, first ? first.split('\n') : [])]).then(
			([values, required]) => set({ values, required, problem: null }),
			(error) => set((was) => ({ ...was, problem: asProblem(error) })));
	}, [wanted, first]);
	return is;
}

function Codes({ known, codes, onCodes }) {
	if (known.problem)
		return html`<${Problem} problem=${known.problem} />`;
	if (!known.values)
		return html`<${Loading} />`;
	return html`<div class="codes">${Object.entries(CODES).map(([name, type]) => {
		const required = known.required.includes(name);
		return html`<${Field} label=${t(`mass.${name}`)} required=${required}>${(of) => html`<select ...${of}
			aria-required=${required ? 'true' : undefined}
			onChange=${(event) => onCodes({ ...codes, [name]: event.target.value })}>
			<option value="" selected=${!codes[name]}>${t(required ? 'mass.choose' : 'mass.none')}</option>
			${(known.values[type] ?? []).map((v) => html`<option value=${v.code}
				selected=${codes[name] === v.code}>${v.label}</option>`)}</select>`}</${Field}>`;
	})}</div>`;
}

async function findNtt(no, ntt) {
	if (no === ntt.ticketNo)
		return { id: ntt.id, ticketNo: ntt.ticketNo };
	const { items } = await api.get('/ticket/ntt', { query: { ticketNo: no } });
	return items.length ? { id: items[0].id, ticketNo: items[0].ticketNo } : null;
}

function missing({ action, target, codes }, list, known) {
	const lacking = action === 'resolve' ? known.required.filter((name) => !codes[name]) : [];

	if (!list.found?.lines.length)
		return t('mass.needList');
	if (action === 'move' && !trimmed(target))
		return t('mass.needTarget');
	return lacking.length ? t('mass.needCodes', lacking.map((name) => t(`mass.${name}`)).join(', ')) : '';
}

function Form({ ntt, form, onForm, onCheck }) {
	const { action, source, column, codes, remark, target } = form;
	const set = (more) => onForm({ ...form, ...more });
	const list = useList(source, column);
	const names = list.found?.lines.map((line) => line.name) ?? [];
	const known = useCodes(action === 'resolve', names);
	const [wrong, setWrong] = useState('');
	const may = usePermission(ACTIONS[action].permission);
	const reason = (may.may ? '' : may.why) || missing(form, list, known);

	const check = async () => {
		const plan = { id: newId(), ntt: { id: ntt.id, ticketNo: ntt.ticketNo }, action,
			actor: auth.actor(), remark: remark.trim() ? remark : '' };
		try {
			if (action === 'resolve')
				plan.codes = Object.fromEntries(Object.entries(codes).filter(([, code]) => code));
			if (action === 'move')
				plan.target = await findNtt(trimmed(target), ntt);
			if (plan.target === null)
				return setWrong(t('mass.noTarget', trimmed(target)));
			return onCheck(plan, list.found.lines);
		} catch (error) {
			return setWrong(asProblem(error));
		}
	};

	return html`<div class="mass-form">
		<${Choice} ntt=${ntt} action=${action} onAction=${(name) => set({ action: name })} />
		<div class="mass-what">
			<${ListField} ntt=${ntt} source=${source} column=${column} list=${list}
				onSource=${(next) => set({ source: next, column: undefined })}
				onColumn=${(next) => set({ column: next })} />
			<div class="mass-with">
				${action === 'move' && html`<${Field} label=${t('mass.target')} required
					error=${typeof wrong === 'string' && wrong}>${(of) => html`<input ...${of} type="text"
					value=${target} autocomplete="off" spellcheck=${false} onInput=${(event) => {
						setWrong('');
						set({ target: event.target.value });
					}} />`}</${Field}>`}
				${action === 'resolve' && html`<${Codes} known=${known} codes=${codes}
					onCodes=${(next) => set({ codes: next })} />`}
				<${Remark} value=${remark} onInput=${(text) => set({ remark: text })} />
			</div>
		</div>
		${wrong && typeof wrong !== 'string' && html`<${Problem} problem=${wrong} />`}
		<div class="mass-actions"><${Button} look="primary" onClick=${check} reason=${reason}>${
			t('mass.check')}</${Button}><span class="hint">${reason || t('mass.checkHint')}</span></div>
	</div>`;
}

// ---- the lines of a run ----

function reasonOf(o) {
	if (o.kind === 'ready' && PARTNERS.has(o.partner))
		return t('mass.partnerTold', t(`mass.partner_${o.partner}`));
	if (o.detail || !o.code)
		return o.detail ?? '';
	const known = ['SAME_TICKET', 'ALREADY_ON_TARGET', 'NO_ANSWER', 'NOT_SENT'].includes(o.code);
	return t(`mass.${known ? o.code : 'OTHER'}`, o.values ?? o);
}

function labelOf(run, o) {
	if (o.kind === 'ready')
		return t(`mass.will_${o.did}`);
	if (o.kind === 'skipped')
		return t('mass.nothing');
	return o.kind === 'failed' && !run.portions.length ? t('mass.cannot') : undefined;
}

function LineState({ run, o }) {
	const word = o.kind === 'done' ? o.did ?? 'done' : o.kind;

	return html`<${State} value=${word === 'already-on-target' ? 'skipped' : word} label=${labelOf(run, o)} />`;
}

function columnsOf(run, sent) {
	return [
		{ title: t('mass.line'), num: true, cell: (i) => num(run.ats[i]) },
		{ title: t('mass.ticket'), cell: (i) => (run.outcomes[i].cttId
			? html`<a href=${href(`/ctt/${run.outcomes[i].cttId}`)} title=${run.names[i]}><bdi>${run.names[i]}</bdi></a>`
			: html`<bdi title=${run.names[i]}>${run.names[i]}</bdi>`) },
		{ title: t('mass.outcome'), cell: (i) => html`<${LineState} run=${run} o=${run.outcomes[i]} />` },
		{ title: t('mass.why'), cell: (i) => {
			const why = reasonOf(run.outcomes[i]);
			return html`<bdi class="why" title=${why}>${why}</bdi>`;
		} },
		sent && { title: t('mass.operation'), cell: (i) => run.outcomes[i].op && html`<a
			href=${href(`/operation/${run.outcomes[i].op}`)}
			aria-label=${`${t('mass.trace')}: ${run.names[i]}`}>${t('mass.trace')}</a>` },
	].filter(Boolean);
}

function kindsOf(run) {
	const kinds = run.portions.length ? ['done', 'skipped', 'failed', 'unknown', 'wait']
		: ['ready', 'skipped', 'failed'];

	return ['all', ...kinds];
}

function kindName(run, kind) {
	return t(`mass.kind_${kind === 'failed' && !run.portions.length ? 'refused' : kind}`);
}

function Kinds({ run, kind, onKind }) {
	return html`<div class="kinds" role="group" aria-label=${t('mass.shown')}>${kindsOf(run).map((name) => {
		const n = name === 'all' ? run.names.length : run.counts[name];
		return html`<button type="button" class="kind" data-kind=${name} aria-pressed=${name === kind}
			onClick=${() => onKind(name)}><span>${kindName(run, name)}</span><strong class="num">${
			num(n)}</strong></button>`;
	})}</div>`;
}

// Reasons in the words of a code, with how many lines have it.
function Reasons({ run, lines, code, onCode }) {
	const counts = new Map();

	for (const i of lines)
		if (run.outcomes[i].code)
			counts.set(run.outcomes[i].code, (counts.get(run.outcomes[i].code) ?? 0) + 1);
	return html`<label class="reasons">${t('mass.reason')} <select value=${code}
		disabled=${counts.size < 2 && !code} onChange=${(event) => onCode(event.target.value)}>
		<option value="" selected=${!code}>${t('mass.anyReason')}</option>${[...counts].map(([name, n]) => html`<option
			value=${name} selected=${name === code}>${`${name} (${num(n)})`}</option>`)}</select></label>`;
}

function saved(run, lines) {
	const rows = lines.map((i) => {
		const o = run.outcomes[i];
		return [run.ats[i], run.names[i], o.kind === 'done' ? o.did ?? o.kind : labelOf(run, o) ?? o.kind,
			o.code, reasonOf(o), o.op];
	});
	const url = URL.createObjectURL(new Blob([csv([[t('mass.line'), t('mass.ticket'), t('mass.outcome'),
		t('ui.code'), t('mass.why'), t('mass.operation')], ...rows])], { type: 'text/csv' }));
	const link = document.createElement('a');

	link.href = url;
	link.download = `${goalOf(run.plan).replace(/[^\w.-]+/g, '_')}-${run.plan.action}-${run.plan.id}.csv`;
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function Lines({ run, version, onAgain }) {
	const [kind, setKind] = useState('all');
	const [code, setCode] = useState('');
	const [copied, setCopied] = useState('');
	const sent = run.portions.length > 0;
	const columns = useMemo(() => columnsOf(run, sent), [run, sent]);
	const ofKind = useMemo(() => (kind === 'all' ? run.names.map((_, i) => i) : run.of(kind)),
		[run, kind, version]);
	const lines = useMemo(() => (code ? ofKind.filter((i) => run.outcomes[i].code === code) : ofKind),
		[ofKind, code]);
	const failed = lines.filter((i) => run.outcomes[i].kind === 'failed');
	const copy = () => navigator.clipboard.writeText(lines.map((i) => run.names[i]).join('\n')).then(
		() => setCopied(t('mass.copied', tickets(lines.length))), () => setCopied(t('mass.notCopied')));

	return html`<div class="lines">
		<${Kinds} run=${run} kind=${kind} onKind=${(name) => {
			setKind(name);
			setCode('');
			setCopied('');
		}} />
		<div class="mass-actions"><${Reasons} run=${run} lines=${ofKind} code=${code} onCode=${setCode} />
			${onAgain && run.counts.failed > 0 && html`<${Button} onClick=${() => onAgain(failed)}
				reason=${failed.length ? '' : t('mass.noneFailed')}>${
				t('mass.again', tickets(failed.length))}</${Button}>`}
			<${Button} onClick=${copy} disabled=${!lines.length}>${t('mass.copy')}</${Button}>
			<${Button} onClick=${() => saved(run, lines)} disabled=${!lines.length}>${t('mass.save')}</${Button}>
			<span class="muted" role="status">${copied}</span></div>
		<div class="mass-table">${lines.length ? html`<${VirtualTable} key=${`${kind} ${code}`} caption=${t('mass.table')}
			rows=${lines} columns=${columns} rowKey=${(i) => i} rowHeight=${ROW} height=${440} />`
			: html`<${Empty} what=${t('mass.emptyFilter')} />`}</div></div>`;
}

// ---- the run ----

function partnersText(run) {
	return Object.entries(run.partners()).map(([name, n]) =>
		t('mass.partnerOf', t(`mass.partner_${name}`), num(n))).join('; ');
}

function Sentence({ run }) {
	const { counts, plan } = run;

	if (!counts.ready)
		return html`<div class="will" data-none="true"><${Icon} name="none" /><div><p>${t('mass.saysNone')}</p></div></div>`;
	return html`<div class="will"><${Icon} name="arrow" /><div>
		<p><strong>${t(`mass.says_${plan.action}`, tickets(counts.ready), goalOf(plan))}</strong> ${
			t('mass.saysPartners', partnersText(run))}</p>
		${counts.skipped + counts.failed > 0 && html`<p>${t('mass.saysRest',
			counts.skipped && num(counts.skipped), counts.failed && num(counts.failed))}</p>`}</div></div>`;
}

function Checked({ run, onBack, onGo }) {
	const n = run.counts.ready;

	return html`<${Sentence} run=${run} /><div class="mass-actions">
		${n > 0 && html`<${Button} look="primary" onClick=${onGo}>${
			t(`mass.go_${run.plan.action}`, tickets(n))}</${Button}>`}
		<${Button} onClick=${onBack}>${t('mass.back')}</${Button}></div>`;
}

function Checking({ run }) {
	const said = t('mass.checking', num(run.checked), num(run.names.length));

	return html`<div class="going"><progress max=${run.names.length} value=${run.checked}
		aria-label=${said} /><p class="going-said">${waitingText(run) ?? said}</p>
		<div class="mass-actions"><${Button} onClick=${() => run.stop()}>${t('mass.stopCheck')}</${Button}></div></div>`;
}

// Why it waits, shorter than the problem says it.
const SAID = { NO_ANSWER: 'noAnswer', UNREACHABLE: 'noAnswer', NOT_JSON: 'noAnswer',
	IDEMPOTENCY_IN_PROGRESS: 'stillUnderWay' };

function waitingText({ waiting }) {
	if (!waiting || waiting.problem.code === 'UNKNOWN_LINES')
		return null;
	const { problem: { code, detail }, until } = waiting;
	const why = SAID[code] ? t(`mass.${SAID[code]}`) : detail || `${code}.`;
	return t('mass.waiting', why, formatClock(until));
}

function underWay(run) {
	if (run.waiting && waitingText(run))
		return waitingText(run);
	const portion = run.inHand;
	return portion ? t('mass.portion', num(portion.n), num(run.portions.length))
		: run.counts.unknown ? t('mass.settling', tickets(run.counts.unknown)) : '';
}

function Going({ run }) {
	const { closed, of } = run.progress;

	return html`<div class="going"><progress max=${of} value=${closed} aria-label=${t('mass.title')} />
		<p class="going-said"><strong class="num">${t('mass.progress', num(closed), num(of))}</strong>
			<span>${underWay(run)}</span></p>
		<div class="mass-actions"><${Button} onClick=${() => {
			run.stop();
			run.changed();
		}} reason=${run.stopping ? t('mass.stopping') : ''}>${
			run.stopping ? t('mass.stopping') : t('mass.stop')}</${Button}></div></div>`;
}

function Ended({ run, onGoOn, onAnother }) {
	const left = run.counts.wait + run.counts.unknown;
	const paused = run.state === 'paused';
	const shape = paused ? 'warn' : run.counts.failed ? 'warn' : 'good';

	return html`<p class="ended" role="status" data-shape=${shape}><${Icon} name=${shape} /><span>${
		paused ? t('mass.paused', tickets(left))
			: t('mass.finished', num(run.counts.done), run.counts.failed && num(run.counts.failed))}</span></p>
		<div class="mass-actions">${paused && html`<${Button} look="primary" onClick=${onGoOn}>${
			t('mass.goOn')}</${Button}>`}<${Button} onClick=${onAnother}>${t('mass.another')}</${Button}></div>`;
}

function RunView({ run, version, onBack, onStart, onAnother }) {
	const { plan, state, problem } = run;

	return html`<div class="run" data-state=${state}>
		<h3><bdi>${t(`mass.did_${plan.action}`, tickets(plan.total ?? run.names.length), goalOf(plan))}</bdi></h3>
		<p class="muted">${t('mass.prefix')} <${Id} text=${plan.id} what=${t('mass.prefix')} /></p>
		${problem && html`<${Problem} problem=${told(problem)} />`}
		${state === 'checking' ? html`<${Checking} run=${run} />`
			: state === 'checked' ? html`<${Checked} run=${run} onBack=${onBack}
				onGo=${() => onStart((r) => r.go())} />`
			: state === 'running' ? html`<${Going} run=${run} />`
			: state === 'new' ? html`<div class="mass-actions"><${Button} look="primary"
				onClick=${() => onStart((r) => r.check())}>${t('mass.check')}</${Button}><${Button}
				onClick=${onBack}>${t('mass.back')}</${Button}></div>`
			: html`<${Ended} run=${run} onAnother=${onAnother} onGoOn=${() => onStart((r) => r.run())} />`}
		${run.unkept && html`<p class="error">${t('mass.unkept')}</p>`}
		<${Lines} run=${run} version=${version} onAgain=${['done', 'paused'].includes(state)
			&& ((lines) => onStart((r) => r.again(lines)))} />
	</div>`;
}

// ---- runs that were left ----

function Kept({ records, onOpen, onForget }) {
	return html`<div class="kept panel"><h3>${t('mass.kept')}</h3><ul>${records.map((r) => html`<li key=${r.id}>
		<div><strong><bdi>${t(`mass.did_${r.plan.action}`, tickets(r.plan.total), goalOf(r.plan))}</bdi></strong>${' '}
			<span class="muted"><${Time} at=${new Date(r.at).toISOString()} /></span>
			<div class="num">${t('mass.keptWhat', num(r.counts.done), num(r.counts.failed),
				num(r.counts.wait + r.counts.unknown))}</div></div>
		<div class="mass-actions">${r.state !== 'done' && html`<${Button} look="primary"
			onClick=${() => onOpen(r, true)}>${t('mass.goOn')}</${Button}>`}
			<${Button} onClick=${() => onOpen(r, false)}>${t('mass.lookAt')}</${Button}>
			<${Button} look="quiet" title=${t('mass.forgetHint')} onClick=${() => onForget(r)}>${
				t('mass.forget')}</${Button}></div></li>`)}</ul></div>`;
}

function useKept(ntt, run) {
	const [records, set] = useState([]);
	const read = async () => set(await runsOf(await store, ntt.id, auth.actor()));

	useEffect(() => {
		if (!run) read().catch(() => set([]));
	}, [ntt.id, run]);
	return { records, forget: async (r) => {
		await (await store).remove(r.id);
		await read();
	} };
}

// ---- the section ----

const EMPTY = { action: 'link', source: { text: '' }, codes: {}, remark: '' };

export function Many({ ntt, onDone }) {
	const [form, setForm] = useState({ ...EMPTY, target: ntt.ticketNo });
	const [run, setRun] = useState(live.get(ntt.id) ?? null);
	const version = useRun(run);
	const kept = useKept(ntt, run);
	const shown = useRef(true);

	useEffect(() => () => {
		shown.current = false;
	}, []);
	const use = (next) => {
		if (next) live.set(ntt.id, next);
		else live.delete(ntt.id);
		setRun(next);
	};
	const start = async (what, of = run) => {
		await what(of);
		if (shown.current && of.portions.length) onDone();
	};
	const check = async (plan, lines) => {
		const next = new Mass({ plan, names: lines.map((line) => line.name), ats: lines.map((line) => line.at),
			api: apiOf(plan.actor), store: await store });
		use(next);
		start((r) => r.check(), next);
	};
	const reopen = async (record, goOn) => {
		const next = await Mass.open(record.id, { api: apiOf(record.plan.actor), store: await store });
		use(next);
		if (goOn) start((r) => r.run(), next);
	};

	return html`<${Section} title=${t('mass.title')} id="mass">
		${!run && kept.records.length > 0 && html`<${Kept} records=${kept.records} onOpen=${reopen}
			onForget=${kept.forget} />`}
		<div class="panel mass">${run
			? html`<${RunView} run=${run} version=${version} onStart=${start} onBack=${() => use(null)}
				onAnother=${() => {
					use(null);
					setForm({ ...form, source: { text: '' } });
				}} />`
			: html`<${Form} ntt=${ntt} form=${form} onForm=${setForm} onCheck=${check} />`}</div>
	</${Section}>`;
}
