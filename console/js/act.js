// What changes something: a dialog with fields, a sentence that says what will
// happen (from a dry run of just what would be sent), and a button that does it.

import { html, useEffect, useId, useRef, useState } from './preact.js';
import { Problem as ApiProblem, asProblem, newId, send } from './api.js';
import { href } from './router.js';
import { t } from './texts.js';
import { Button, Dialog, Icon, Problem, Time } from './ui.js';

const PAUSE_MS = 300; // of typing, before it is checked

// What a dry run of this says: {data, problem, checking, again}. body: null
// while something is missing.
export function useDryRun(method, path, body) {
	const text = body && JSON.stringify(body);
	const [is, set] = useState({});
	const [turn, setTurn] = useState(0);

	useEffect(() => {
		if (!text) return undefined;
		const abort = new AbortController();
		const timer = setTimeout(() => {
			send(method, path, { body: JSON.parse(text), dryRun: true,
				signal: abort.signal }).then(
				(answer) => set({ text, data: single(answer).data }))
				.catch((error) => {
					if (abort.signal.aborted) return;
					set({ text, problem: unwrapped(asProblem(error)) });
				});
		}, PAUSE_MS);

		return () => {
			clearTimeout(timer);
			abort.abort();
		};
	}, [method, path, text, turn]);
	const known = text && is.text === text;

	return {
		data: known ? is.data : null, problem: known ? is.problem : null,
		checking: Boolean(text) && !known,
		again() {
			set({});
			setTurn((n) => n + 1);
		},
	};
}

// ---- one item of an answer for many ----

function problemOfItem(result, status, requestId) {
	return new ApiProblem({ status, title: '', body: result.error,
		code: result.error.code, detail: result.error.detail, requestId,
		operationId: result.operationId,
		retryAfter: result.error.retryAfter ?? null });
}

// The problem of the only item says more than that all have failed.
export function unwrapped(problem) {
	const [result, another] = problem.results;

	if (!result || another) return problem;
	if (problem.code === 'BULK_ALL_FAILED' && result.error) {
		return problemOfItem(result, problem.status, problem.requestId);
	}
	problem.operationId ??= result.operationId ?? null;
	return problem;
}

// An answer for one: it throws what its only item says.
function single(answer) {
	const [result, another] = answer.data.results ?? [];

	if (result?.error && !another) {
		throw problemOfItem(result, answer.status, answer.requestId);
	}
	return answer;
}

// Is it not known, or not for ever, what became of it? Then the next attempt
// goes under the same key, so that nothing is done twice.
function sameKeyNext({ code, status }) {
	return status === 0 || status === 429 || status === 503 || status === 401
		|| ['NOT_JSON', 'NO_ANSWER', 'IDEMPOTENCY_IN_PROGRESS'].includes(code);
}

// Can the same have another answer a little later?
function mayPass({ status, retryAfter }) {
	return status === 0 || status >= 500 || status === 429 || retryAfter > 0;
}

// run(method, path, body) sends a change: true if it was done. busy, problem.
export function useChange({ onDone, onProblem }) {
	const [busy, setBusy] = useState(false);
	const [problem, setProblem] = useState(null);
	const key = useRef(null); // {of: the body's text, key}

	async function run(method, path, body) {
		const text = JSON.stringify(body);

		if (key.current?.of !== text) key.current = { of: text, key: newId() };
		setBusy(true);
		try {
			const answer = single(await send(method, path,
				{ body, key: key.current.key }));

			key.current = null;
			setProblem(null);
			onDone(answer);
		} catch (error) {
			const found = unwrapped(asProblem(error));

			if (!sameKeyNext(found)) key.current = null;
			setProblem(found);
			onProblem?.(found);
		} finally {
			setBusy(false);
		}
	}
	return { run, busy, problem, forget: () => setProblem(null) };
}

// ---- the dialog ----

// method, path, body: what is sent; body is null while something is missing,
// and `missing` says what. sentence(data): what the dry run comes to. check:
// what useDryRun says, if the caller has asked already. onDone(answer);
// onProblem(problem).
export function ActDialog({ title, method, path, body, missing, sentence, label,
	look = 'primary', wide, check, onDone, onProblem, onClose, children }) {
	const form = useId();
	const mine = useDryRun(method, path, check ? null : body);
	const dry = check ?? mine;
	const { run, busy, problem, forget } = useChange({ onDone, onProblem });
	const text = JSON.stringify(body);

	useEffect(() => forget(), [text]);
	const ready = body && dry.data && !busy;
	const submit = (event) => {
		event.preventDefault();
		if (ready) run(method, path, body);
	};

	return html`<${Dialog} title=${title} wide=${wide} busy=${busy}
		onClose=${onClose} actions=${html`
			<${Button} onClick=${onClose} disabled=${busy}>${
				t('ui.cancel')}</${Button}>
			<${Button} type="submit" form=${form} look=${look} busy=${busy}
				reason=${busy ? '' : !body ? missing : dry.checking
					? t('act.checking') : dry.problem ? t('act.refused') : ''}
				disabled=${!ready}>${label}</${Button}>`}>
		<form id=${form} onSubmit=${submit}>${children}</form>
		<div class="preview" aria-live="polite">${
			problem ? html`<${Problem} problem=${problem} />`
			: !body ? html`<p class="muted">${missing}</p>`
			: dry.checking ? html`<p class="muted">${t('act.checking')}</p>`
			: dry.problem ? html`<${Problem} problem=${dry.problem}
				onRetry=${mayPass(dry.problem) && dry.again} />`
			: dry.data && html`<div class="will"><${Icon} name="arrow" /><div>${
				sentence(dry.data)}</div></div>`}</div>
	</${Dialog}>`;
}

// ---- what became of it ----

// outcome: {text, at, operationId, requestId, pending} or {problem, at}. It
// stays until it is closed, or something else is done.
export function Outcome({ outcome, onClose }) {
	if (!outcome) return null;
	const close = html`<button type="button" class="copy" title=${t('ui.close')}
		aria-label=${t('ui.close')} onClick=${onClose}><${Icon} name="close"
		/></button>`;

	if (outcome.problem) {
		return html`<div class="outcome"><${Problem} problem=${outcome.problem}
			/>${close}</div>`;
	}
	return html`<div class="outcome"><p class="done" role="status"
		data-shape=${outcome.pending ? 'open' : 'good'}><${Icon}
			name=${outcome.pending ? 'open' : 'good'} /><span>${outcome.text} ${
			outcome.operationId ? html`<a href=${href(
				`/operation/${outcome.operationId}`)}>${t('ui.trace')}</a>`
			: html`<a href=${href(`/request/${outcome.requestId}`)}>${
				t('ui.trace')}</a>`} <span class="muted"><${Time}
			at=${outcome.at} /></span></span></p>${close}</div>`;
}

// ---- fields ----

export function Field({ label, required, hint, error, children }) {
	const id = useId();

	return html`<div class="field"><label for=${id}>${label}${
		required && html`<span class="required"> ${t('act.required')}</span>`}</label>${
		children({ id, 'aria-describedby': hint || error ? `${id}-hint` : undefined,
			'aria-invalid': error ? 'true' : undefined })}${
		(hint || error) && html`<p id=${`${id}-hint`}
			class=${error ? 'error' : 'hint'}>${error || hint}</p>`}</div>`;
}

export function Remark({ value, onInput }) {
	return html`<${Field} label=${t('act.remark')} hint=${t('act.remarkHint')}>${
		(of) => html`<textarea ...${of} rows="2" maxlength="2000" value=${value}
			onInput=${(event) => onInput(event.target.value)} />`}</${Field}>`;
}
