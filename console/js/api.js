// The one way to the API. What fails is a Problem, whether the server says it,
// a gateway, or nobody at all.

import { auth } from './auth.js';
import { t } from './texts.js';

const TIMEOUT_MS = 75_000; // above the 60 s after which nginx gives up

// code is the server's, or one of ours: UNREACHABLE (no answer came; a change
// may have been done: `changing`), NOT_JSON, SIGNED_OUT (asked to sign in
// again, and did not), CONSOLE_FAULT (a fault of the console's own).
export class Problem extends Error {
	constructor({ status = 0, code, title = '', detail, requestId = null,
		operationId = null, retryAfter = null, body = null,
		changing = false }) {
		super(detail);
		Object.assign(this, { status, code, title, detail, requestId,
			operationId, retryAfter, body, changing });
		this.errors = body?.errors ?? [];
		this.results = body?.results ?? [];
	}
}

export function asProblem(error) {
	if (error instanceof Problem) return error;
	return new Problem({ code: 'CONSOLE_FAULT', title: t('problem.fault'),
		detail: String(error?.message ?? error) });
}

const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';

// An id that says where it comes from: also a good Idempotency-Key.
export function newId(prefix = 'console') {
	const bytes = crypto.getRandomValues(new Uint8Array(16));

	return `${prefix}-${Array.from(bytes, (b) => LETTERS[b % 32]).join('')}`;
}

function urlOf(path, query, dryRun) {
	const all = Object.entries(query ?? {})
		.filter(([, value]) => value !== '' && value != null);
	const text = new URLSearchParams(dryRun ? [...all, ['dryRun', 'true']]
		: all).toString();

	return text ? `${path}?${text}` : path;
}

function headersOf(token, requestId, body, key) {
	const headers = { Authorization: `Bearer ${token}`,
		'X-Request-Id': requestId };

	if (body !== undefined) headers['Content-Type'] = 'application/json';
	if (key) headers['Idempotency-Key'] = key;
	return headers;
}

function problemOf(response, body, requestId, changing) {
	const wait = Number(response.headers.get('Retry-After'));

	if (!body || typeof body.code !== 'string') {
		return new Problem({ status: response.status, code: 'NOT_JSON',
			title: t('problem.notJson'), requestId, changing,
			detail: t('problem.notJsonDetail', response.status) });
	}
	return new Problem({ status: response.status, code: body.code,
		title: body.title ?? '', detail: body.detail ?? '',
		requestId: body.requestId ?? requestId,
		operationId: body.operationId ?? null,
		retryAfter: wait > 0 ? wait : null, body, changing });
}

async function exchange(method, path, options, requestId) {
	const { body, query, key, dryRun, signal } = options;
	const changing = method !== 'GET' && !dryRun;
	const timeout = AbortSignal.timeout(TIMEOUT_MS);
	let response;
	let text;

	try {
		response = await fetch(urlOf(path, query, dryRun), {
			method, cache: 'no-store', credentials: 'omit',
			headers: headersOf(auth.token(), requestId, body, key),
			body: body === undefined ? undefined : JSON.stringify(body),
			signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
		});
		text = await response.text();
	} catch (error) {
		if (signal?.aborted) throw error;
		throw new Problem({ code: 'UNREACHABLE', requestId, changing,
			title: t('problem.unreachable'),
			detail: changing ? t('problem.unreachableChange')
				: t('problem.unreachableRead') });
	}
	let json = null;
	try {
		json = JSON.parse(text);
	} catch {
		// a gateway's page
	}
	if (!response.ok) throw problemOf(response, json, requestId, changing);
	if (!json) {
		throw new Problem({ status: response.status, code: 'NOT_JSON',
			title: t('problem.notJson'), requestId, changing,
			detail: t('problem.notJsonDetail', response.status) });
	}
	return {
		status: response.status, data: json,
		requestId: response.headers.get('X-Request-Id') ?? requestId,
		replayed: response.headers.get('Idempotency-Replayed') === 'true',
	};
}

// {status, data, requestId, replayed}, or throws a Problem (or an AbortError,
// if `signal` was aborted). options: query, body, key (Idempotency-Key),
// dryRun, requestId, signal. A token that has ended is renewed, by asking if
// that must be; then the request is sent again, which is safe: a 401 is
// answered before any work.
export async function send(method, path, options = {}) {
	const requestId = options.requestId ?? newId();

	for (let attempt = 0; ; attempt++) {
		if (!auth.token() && !await auth.again()) throw signedOut(requestId);
		const used = auth.token();

		try {
			return await exchange(method, path, options, requestId);
		} catch (error) {
			if (error.status !== 401 || attempt === 2) throw error;
			if (!await auth.again(error.detail, used)) throw signedOut(requestId);
		}
	}
}

function signedOut(requestId) {
	return new Problem({ status: 401, code: 'SIGNED_OUT', requestId,
		title: t('problem.signedOut'), detail: t('problem.signedOutDetail') });
}

export const api = {
	// The data of the answer. A status such as 202 or 207: use send.
	get: async (path, options) => (await send('GET', path, options)).data,
	post: async (path, body, options) =>
		(await send('POST', path, { ...options, body })).data,
	put: async (path, body, options) =>
		(await send('PUT', path, { ...options, body })).data,
};

// The lists of values; asked for once.
let lovAsked = null;

export function lov() {
	lovAsked ??= api.get('/ticket/lov').catch((error) => {
		lovAsked = null;
		throw error;
	});
	return lovAsked;
}
