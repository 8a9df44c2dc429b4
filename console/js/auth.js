// Who is signed in: OpenID Connect, authorization code with PKCE, or a token
// that is pasted in. Tokens are in memory only. What has to live through the
// way to the provider and back (verifier, state, the page to return to) is in
// sessionStorage, and is removed when it has been used.

import { t } from './texts.js';

const KEPT = 'cttd.signing-in';
const RETURN = '/console/signed-in';
const EARLY_MS = 60_000;   // renewed that long before the end, or a quarter
                           // of its life, if that is less
const SILENT_MS = 10_000;  // for the provider to answer in a hidden frame

let config = {};
let provider = null;       // its metadata
let session = null;        // {token, refresh, idToken, ends, claims}
let permissions = null;    // {read: {may, why}, ...}
let asking = null;         // {why, promise, settle}: the dialog is open
let renewing = null;       // a promise
let error = null;          // why signing in did not work
let acted = 0;             // when the reader last pressed anything
let declined = -1;         // when the reader did not want to sign in
let timer = 0;
const listeners = new Set();
const channel = new BroadcastChannel('cttd.signed-in');

function tell() {
	for (const listener of listeners) listener();
}

// ---- small things ----

function base64url(bytes) {
	return btoa(String.fromCharCode(...new Uint8Array(bytes)))
		.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

function random() {
	return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier) {
	return base64url(await crypto.subtle.digest('SHA-256',
		new TextEncoder().encode(verifier)));
}

// The claims of a JWT, for showing; it is the server that verifies them.
function claimsOf(jwt) {
	try {
		const part = jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
		const bytes = Uint8Array.from(atob(part), (c) => c.charCodeAt(0));
		const claims = JSON.parse(new TextDecoder().decode(bytes));

		return claims && typeof claims === 'object' ? claims : {};
	} catch {
		return {};
	}
}

function claimAt(claims, path) {
	if (path in claims) return claims[path];
	return path.split('.').reduce((at, name) => at?.[name], claims);
}

// ---- the session ----

function begin(token, { refresh = null, idToken = null, seconds } = {}) {
	const claims = claimsOf(token);
	const ends = claims.exp ? claims.exp * 1000
		: seconds ? Date.now() + seconds * 1000 : null;

	session = { token, refresh, idToken: idToken ?? session?.idToken ?? null,
		claims, ends };
	error = null;
	clearTimeout(timer);
	if (ends && config.issuer) {
		const left = ends - Date.now();

		// setTimeout takes no more than 2^31 ms
		timer = setTimeout(() => renew(), Math.min(2 ** 31 - 1,
			Math.max(left - Math.min(EARLY_MS, left / 4), 1000)));
	}
	asking?.settle(true);
	tell();
	return loadPermissions();
}

// ---- what one may do, as the server reads the token ----

// The server looks at the permission before it looks at the body: an empty
// request is answered 403 if one may not, and else something else.
const PROBES = {
	read: ['GET', '/ticket/lov'],
	link: ['POST', '/ticket/ctt/link?dryRun=true'],
	status: ['PUT', '/ticket/ctt/activity-status/update/1?dryRun=true'],
	cpe: ['POST', '/ticket/ctt/cpe/update/1?dryRun=true'],
	admin: ['GET', '/ticket/health'],
};

async function probe([method, path], token) {
	try {
		const response = await fetch(path, { method, cache: 'no-store',
			credentials: 'omit', headers: { Authorization: `Bearer ${token}` } });

		if (response.status !== 403) return { may: response.status !== 401 };
		const problem = await response.json();
		return { may: false, why: problem.detail };
	} catch {
		return { may: true }; // the server will say
	}
}

async function loadPermissions() {
	const { token } = session;
	const names = Object.keys(PROBES);
	const answers = await Promise.all(
		names.map((name) => probe(PROBES[name], token)));

	if (session?.token !== token) return;
	permissions = Object.fromEntries(names.map((name, i) => [name, answers[i]]));
	tell();
}

// ---- the provider ----

async function fetchJson(url, options, what) {
	let response;

	try {
		response = await fetch(url, { credentials: 'omit', ...options });
	} catch {
		throw new Error(t('signin.noAnswer', what, new URL(url).host));
	}
	const json = await response.json().catch(() => null);
	if (!response.ok || !json) {
		throw new Error(t('signin.badAnswer', new URL(url).host,
			response.status, json?.error_description ?? json?.error ?? ''));
	}
	return json;
}

async function discover() {
	if (provider) return provider;
	const issuer = config.issuer.replace(/\/$/, '');
	const found = await fetchJson(`${issuer}/.well-known/openid-configuration`,
		{}, t('signin.discovery'));

	if (found.issuer?.replace(/\/$/, '') !== issuer) {
		throw new Error(t('signin.otherIssuer', String(found.issuer)));
	}
	provider = found;
	return provider;
}

function returnUrl() {
	return window.location.origin + RETURN;
}

// What is asked for, and the URL that asks. way: page, popup or frame.
async function request(way, more = {}) {
	const { authorization_endpoint: url } = await discover();
	const asked = { state: `${way}.${random()}`, nonce: random(),
		verifier: random() };
	const query = new URLSearchParams({
		response_type: 'code', client_id: config.clientId,
		redirect_uri: returnUrl(), scope: config.scopes ?? 'openid',
		state: asked.state, nonce: asked.nonce,
		code_challenge: await challengeOf(asked.verifier),
		code_challenge_method: 'S256', ...config.params, ...more,
	});

	return { asked, url: `${url}${url.includes('?') ? '&' : '?'}${query}` };
}

async function tokens(form) {
	const { token_endpoint: url } = await discover();
	const answer = await fetchJson(url, { method: 'POST',
		body: new URLSearchParams({ client_id: config.clientId,
			...config.params, ...form }) }, t('signin.tokens'));

	if (!answer.access_token) throw new Error(t('signin.noToken'));
	return answer;
}

// The code of an answer becomes a session.
async function redeem(answer, asked) {
	if (answer.state !== asked.state) throw new Error(t('signin.otherState'));
	if (answer.error) {
		throw Object.assign(new Error(t('signin.refused', answer.error,
			answer.error_description ?? '')), { oidc: answer.error });
	}
	if (answer.iss && answer.iss !== provider?.issuer) {
		throw new Error(t('signin.otherIssuer', answer.iss));
	}
	const got = await tokens({ grant_type: 'authorization_code',
		code: answer.code, redirect_uri: returnUrl(),
		code_verifier: asked.verifier });
	if (got.id_token && claimsOf(got.id_token).nonce !== asked.nonce) {
		throw new Error(t('signin.otherNonce'));
	}
	return begin(got.access_token, { refresh: got.refresh_token,
		idToken: got.id_token, seconds: got.expires_in });
}

// Waits for the answer that a popup or a frame sends over the channel; null
// after `until`.
function answered(state, until) {
	return new Promise((resolve) => {
		const listen = ({ data }) => {
			if (data?.state !== state) return;
			channel.removeEventListener('message', listen);
			resolve(data);
		};

		channel.addEventListener('message', listen);
		until?.then(() => {
			channel.removeEventListener('message', listen);
			resolve(null);
		});
	});
}

function after(ms) {
	return new Promise((resolve) => { setTimeout(resolve, ms); });
}

// ---- renewing ----

async function byRefreshToken() {
	const got = await tokens({ grant_type: 'refresh_token',
		refresh_token: session.refresh });

	await begin(got.access_token, {
		refresh: got.refresh_token ?? session.refresh,
		idToken: got.id_token, seconds: got.expires_in });
}

async function inFrame() {
	const { asked, url } = await request('frame', { prompt: 'none' });
	const frame = document.createElement('iframe');

	frame.hidden = true;
	frame.title = t('signin.frame');
	frame.src = url;
	document.body.append(frame);
	try {
		const answer = await answered(asked.state, after(SILENT_MS));

		if (!answer) throw new Error(t('signin.silentTimeout'));
		await redeem(answer, asked);
	} finally {
		frame.remove();
	}
}

async function renewNow() {
	if (!config.issuer || session?.pasted) return false;
	try {
		if (session?.refresh) {
			await byRefreshToken();
			return true;
		}
	} catch {
		// the provider may still know the browser
	}
	try {
		await inFrame();
		return true;
	} catch {
		return false;
	}
}

// Silently; false if that cannot be.
function renew() {
	renewing ??= renewNow().finally(() => { renewing = null; });
	return renewing;
}

// ---- what the rest of the console uses ----

export const auth = {
	// Calls `listener` whenever something here has changed.
	onChange(listener) {
		listeners.add(listener);
		return () => listeners.delete(listener);
	},

	token: () => session?.token ?? null,
	// Signed in, or was until now: the pages stay.
	known: () => session !== null,
	error: () => error,
	asking: () => asking,
	pasteAllowed: () => config.pasteToken === true,
	providerHost: () => (config.issuer ? new URL(config.issuer).host : null),

	actor() {
		if (!session) return null;
		const { claims } = session;
		return String(claimAt(claims, config.actorClaim ?? 'sub')
			?? claims.sub ?? t('signin.nameless'));
	},

	// {may, why}; null: not known yet.
	permission: (name) => permissions?.[name] ?? null,

	// With the administrator's config.json. If the reader comes back from the
	// provider, the sign-in is finished: answers the path to go on with.
	async init(given) {
		config = given;
		if (window.location.pathname !== RETURN) return null;
		const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null');

		sessionStorage.removeItem(KEPT);
		try {
			if (!kept) throw new Error(t('signin.notAsked'));
			await discover();
			await redeem(Object.fromEntries(
				new URLSearchParams(window.location.search)), kept);
		} catch (e) {
			error = e.message;
		}
		return kept?.path ?? '/';
	},

	// The whole page goes to the provider, and comes back to `path`.
	async signIn(path) {
		try {
			const { asked, url } = await request('page');

			sessionStorage.setItem(KEPT, JSON.stringify({ ...asked, path }));
			window.location.assign(url);
		} catch (e) {
			error = e.message;
			tell();
		}
	},

	// A window of its own goes to the provider: what was typed here stays.
	// It has to be called by a click, or the browser blocks the window. A
	// provider may cut it off from us: then it looks closed at once. So an
	// answer is waited for all the same.
	async signInBeside() {
		const popup = window.open('about:blank', '_blank',
			'popup,width=520,height=680');

		const tellError = (text) => {
			error = text;
			tell();
		};
		let look = 0;

		try {
			if (!popup) throw new Error(t('signin.blocked'));
			const { asked, url } = await request('popup');

			look = setInterval(() => {
				if (!popup.closed || !document.hasFocus()) return;
				clearInterval(look);
				tellError(t('signin.closed'));
			}, 800);
			popup.location.replace(url);
			await redeem(await answered(asked.state), asked);
		} catch (e) {
			popup?.close();
			tellError(e.message);
		} finally {
			clearInterval(look);
		}
	},

	paste(token) {
		error = null;
		const done = begin(token);
		session.pasted = true;
		clearTimeout(timer);
		return done;
	},

	// The token is not good any more: a new one, silently or by asking.
	// True if there is one. `used` is the token that was refused.
	// Who does not want to is asked again only after having pressed something:
	// a page that looks again by itself does not ask.
	async again(why = null, used = null) {
		if (asking) return asking.promise;
		if (session?.token && session.token !== used) return true;
		if (session) session.token = null;
		if (declined >= acted) return false;
		if (await renew()) return true;
		if (!asking) {
			let settle;
			const promise = new Promise((resolve) => { settle = resolve; });

			asking = { why, promise, settle(done) {
				asking = null;
				if (!done) declined = performance.now();
				settle(done);
				tell();
			} };
			tell();
		}
		return asking.promise;
	},

	async signOut() {
		const idToken = session?.idToken;
		const end = provider?.end_session_endpoint;

		clearTimeout(timer);
		session = null;
		permissions = null;
		asking?.settle(false);
		tell();
		if (!end || !idToken) return;
		window.location.assign(`${end}?${new URLSearchParams({
			id_token_hint: idToken, client_id: config.clientId,
			post_logout_redirect_uri: `${window.location.origin}/console/` })}`);
	},
};

for (const kind of ['pointerdown', 'keydown']) {
	window.addEventListener(kind, () => { acted = performance.now(); },
		{ capture: true, passive: true });
}

// In the popup or the frame that the provider sent back: hand the answer over
// and go. True if this is one.
export function handOver() {
	if (window.location.pathname !== RETURN) return false;
	const answer = Object.fromEntries(
		new URLSearchParams(window.location.search));

	if (!/^(popup|frame)\./.test(answer.state ?? '')) return false;
	channel.postMessage(answer);
	window.close();
	return true;
}
