// A real OpenID provider for the tests of tokens, and of the console's sign-in:
//
//	node t/tools/oidc-provider.js --key-file PEM [--port N] [--host NAME]
//		[--alg RS256|PS256|ES256|EdDSA] [--audience TEXT]
//
// It writes the public key of its access tokens to PEM, says "ready ISSUER",
// and runs until it is ended. A new start with the same PEM.private is the same
// provider, with its key.
//
// There are two clients. cttd-console is public, with PKCE: anybody may sign in,
// and the name typed becomes the subject. cttd-service has a secret, and gets
// tokens for itself (client credentials). GET /control tells the settings below,
// POST /control (JSON) changes some. POST /rotate makes a new key, which signs
// from then on; the old ones stay in the JWK set, unless it says {"drop": true}.

import { createPublicKey, generateKeyPairSync, createPrivateKey }
	from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import Provider from 'oidc-provider';

const { values: option } = parseArgs({ options: {
	'key-file': { type: 'string' },
	port: { type: 'string', default: '0' },
	host: { type: 'string', default: '127.0.0.1' },
	alg: { type: 'string', default: 'RS256' },
	audience: { type: 'string', default: 'cttd' },
} });

const setting = {
	console: 'http://127.0.0.1:1', // the console's origin
	roles: ['ctt-operator'],
	claims: {},        // more of them, for access tokens
	ttl: 600,          // of access tokens, in seconds
	refresh: true,     // are there refresh tokens
	typ: 'JWT',        // of access tokens; RFC 9068 has at+jwt
	tokenError: null,  // the token endpoint answers 400 with this error
	isolate: false,    // pages are cut off from who opened them (COOP)
	deaf: false,       // does not answer /auth without a page
};
const counts = {};         // "GET /auth": how many

// ---- keys ----

function newKey() {
	const [kind, form] = {
		ES256: ['ec', { namedCurve: 'P-256' }],
		EdDSA: ['ed25519', {}],
	}[option.alg] ?? ['rsa', { modulusLength: 2048 }];

	return generateKeyPairSync(kind, form).privateKey;
}

function jwkOf(key, kid) {
	return { ...key.export({ format: 'jwk' }), alg: option.alg, use: 'sig',
		kid };
}

function keyPair(file) {
	const secret = `${file}.private`;

	if (!existsSync(secret)) {
		writeFileSync(secret, newKey().export(
			{ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
	}
	const key = createPrivateKey(readFileSync(secret));
	const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' });

	writeFileSync(`${file}.new`, pem);
	renameSync(`${file}.new`, file);
	return jwkOf(key, 'test');
}

// ---- what is shown ----

function escape(text) {
	return String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

function page(title, body) {
	return `<!doctype html><html lang="en"><meta charset="utf-8">
<link rel="icon" href="data:,"><title>${title}</title>
<main><h1>${title}</h1>${body}</main></html>`;
}

async function formOf(request) {
	let text = '';

	for await (const part of request) text += part;
	return text;
}

// ---- the provider ----

function configuration(keys) {
	return {
		clients: [{
			client_id: 'cttd-console',
			token_endpoint_auth_method: 'none',
			grant_types: ['authorization_code', 'refresh_token'],
			response_types: ['code'],
			redirect_uris: ['http://127.0.0.1/console/signed-in'],
			id_token_signed_response_alg: option.alg,
		}, {
			client_id: 'cttd-service',
			client_secret: 'only for tests',
			grant_types: ['client_credentials'],
			response_types: [],
			redirect_uris: [],
			id_token_signed_response_alg: option.alg,
		}],
		jwks: { keys },
		enabledJWA: {
			idTokenSigningAlgValues: [option.alg],
		},
		cookies: { keys: ['only for tests'] },
		scopes: ['openid', 'offline_access', 'profile', 'ctt'],
		claims: { openid: ['sub'], profile: ['name'] },
		pkce: { methods: ['S256'], required: () => true },
		findAccount: (ctx, sub) => ({ accountId: sub,
			claims: () => ({ sub, name: `${sub} of the tests` }) }),
		clientBasedCORS: (ctx, origin) => origin === setting.console,
		interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
		issueRefreshToken: () => setting.refresh,
		extraTokenClaims: () => ({ roles: setting.roles, ...setting.claims }),
		// The client is the company's own: nobody is asked for consent.
		async loadExistingGrant(ctx) {
			const { provider, client, session, params } = ctx.oidc;
			const grant = new provider.Grant({ clientId: client.clientId,
				accountId: session.accountId });

			grant.addOIDCScope(params.scope);
			grant.addResourceScope(`urn:${option.audience}`, 'ctt');
			await grant.save();
			return grant;
		},
		renderError(ctx, { error, error_description: why }) {
			ctx.type = 'html';
			ctx.body = page('The provider cannot do this',
				`<p>${escape(error)}: ${escape(why)}</p>`);
		},
		formats: { customizers: { jwt(ctx, token, parts) {
			parts.header = { ...parts.header, typ: setting.typ };
		} } },
		features: {
			devInteractions: { enabled: false },
			rpInitiatedLogout: { enabled: true, logoutSource(ctx, form) {
				ctx.body = page('Sign out', `${form}<button type="submit"
					form="op.logoutForm" name="logout" value="yes"
					>Sign out everywhere</button>`);
			} },
			clientCredentials: { enabled: true },
			resourceIndicators: {
				enabled: true,
				defaultResource: () => `urn:${option.audience}`,
				useGrantedResource: () => true,
				getResourceServerInfo: () => ({
					scope: 'ctt', audience: option.audience,
					accessTokenFormat: 'jwt',
					accessTokenTTL: setting.ttl,
					jwt: { sign: { alg: option.alg } },
				}),
			},
		},
	};
}

const server = createServer();

// A provider with these keys answers from now on; the first one signs. What it
// knows of its users stays.
function provide(issuer, keys) {
	const provider = new Provider(issuer, configuration(keys));
	const { Client } = provider;

	// The console's port is chosen after ours.
	Client.prototype.redirectUriAllowed = (uri) =>
		uri === `${setting.console}/console/signed-in`;
	Client.prototype.postLogoutRedirectUriAllowed = (uri) =>
		uri === `${setting.console}/console/`;

	provider.use(async (ctx, next) => {
		const what = `${ctx.method} ${ctx.path}`;

		counts[what] = (counts[what] ?? 0) + 1;
		if (setting.isolate) ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
		if (ctx.path === '/control') return control(ctx);
		if (ctx.path === '/rotate') return rotate(ctx, issuer, keys);
		if (ctx.path.startsWith('/interaction/')) return signIn(ctx, provider);
		if (ctx.path === '/token' && ctx.method === 'POST' && setting.tokenError) {
			ctx.set('Access-Control-Allow-Origin', setting.console);
			ctx.status = 400;
			ctx.body = { error: setting.tokenError,
				error_description: 'the test wants it so' };
			return undefined;
		}
		if (ctx.path === '/auth' && setting.deaf && ctx.query.prompt === 'none') {
			ctx.status = 204;
			return undefined;
		}
		return next();
	});
	server.removeAllListeners('request');
	server.on('request', provider.callback());
}

async function rotate(ctx, issuer, keys) {
	const { drop } = JSON.parse(await formOf(ctx.req) || '{}');
	const kid = `key-${Date.now()}`;

	provide(issuer, [jwkOf(newKey(), kid), ...(drop ? [] : keys)]);
	ctx.body = { kid };
}

server.listen(Number(option.port), '127.0.0.1', () => {
	const issuer = `http://${option.host}:${server.address().port}`;

	provide(issuer, [keyPair(option['key-file'])]);
	console.log(`ready ${issuer}`);
});

async function control(ctx) {
	if (ctx.method === 'POST') {
		Object.assign(setting, JSON.parse(await formOf(ctx.req)));
	}
	ctx.body = { ...setting, counts };
}

// The sign-in page: a name, and yes or no.
async function signIn(ctx, provider) {
	const { uid } = await provider.interactionDetails(ctx.req, ctx.res);

	if (ctx.method !== 'POST') {
		ctx.type = 'html';
		ctx.body = page('The company’s sign-in', `<form method="post"
			action="/interaction/${escape(uid)}">
			<label>Name <input name="name" autofocus autocomplete="off"></label>
			<button name="answer" value="yes">Sign in</button>
			<button name="answer" value="no">No</button></form>`);
		return;
	}
	const form = new URLSearchParams(await formOf(ctx.req));
	ctx.redirect(await provider.interactionResult(ctx.req, ctx.res,
		form.get('answer') === 'yes'
			? { login: { accountId: form.get('name') || 'olga' } }
			: { error: 'access_denied',
				error_description: 'The sign-in was cancelled' },
		{ mergeWithLastSubmission: false }));
	ctx.status = 303;
}
