// The start, and the frame around every page.

import { Component, html, render, useEffect, useRef, useState } from './preact.js';
import { auth, handOver } from './auth.js';
import { asProblem } from './api.js';
import { trimmed } from './format.js';
import { go, here, href, onMove, startRouter, withQuery } from './router.js';
import { t } from './texts.js';
import { Button, Dialog, Empty, Icon, Loading, Problem } from './ui.js';

const CONFIG = '/console/config.json';

// path, page module, names of the parts in parentheses
const ROUTES = [
	[/^\/$/, 'search', []],
	[/^\/ctt\/([^/]+)$/, 'ctt', ['id']],
	[/^\/ntt\/([^/]+)$/, 'ntt', ['id']],
	[/^\/operation\/([^/]+)$/, 'operation', ['id']],
	[/^\/request\/([^/]+)$/, 'operation', ['requestId']],
	[/^\/health$/, 'health', []],
];

function routeOf(path) {
	for (const [pattern, page, names] of ROUTES) {
		const found = pattern.exec(path);

		if (found) {
			return { page, params: Object.fromEntries(names.map(
				(name, i) => [name, decoded(found[i + 1])])) };
		}
	}
	return null;
}

function decoded(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

function useAuth() {
	const [, again] = useState(0);

	useEffect(() => auth.onChange(() => again((n) => n + 1)), []);
}

// ---- signing in ----

function Paste({ primary }) {
	const [token, setToken] = useState('');

	return html`<form class="paste" onSubmit=${(event) => {
		const given = trimmed(event.target.elements.token.value);

		event.preventDefault();
		if (given) auth.paste(given.replace(/^Bearer\s+/i, ''));
	}}>
		<label for="token">${t('signin.pasteLabel')}</label>
		<textarea id="token" name="token" rows="4" spellcheck=${false}
			autocomplete="off" value=${token}
			onInput=${(event) => setToken(event.target.value)} />
		<p class="hint">${t('signin.pasteHint')}</p>
		<${Button} type="submit" look=${primary ? 'primary' : undefined}
			>${t('signin.pasteGo')}</${Button}>
	</form>`;
}

function SignInWays({ beside }) {
	const host = auth.providerHost();
	const { path, query } = here();

	return html`${auth.error() && html`<div class="problem" role="alert"><p
		class="problem-what"><${Icon} name="bad" /><bdi>${auth.error()}</bdi></p
		></div>`}
		${host && html`<${Button} look="primary" onClick=${() => (beside
			? auth.signInBeside() : auth.signIn(withQuery(path, query)))}
			>${t('signin.with', host)}</${Button}>`}
		${auth.pasteAllowed() && html`<${Paste} primary=${!host} />`}
		${!host && !auth.pasteAllowed() && html`<${Empty}
			what=${t('signin.noWay')} why=${t('signin.noWayDo')} />`}`;
}

function SignIn() {
	return html`<main class="signin" id="main"><h1>${t('signin.title')}</h1>
		<p>${t('signin.lead')}</p><${SignInWays} /></main>`;
}

function SignInAgain() {
	const { why, settle } = auth.asking();

	return html`<${Dialog} title=${t('signin.endedTitle')}
		onClose=${() => settle(false)}
		actions=${html`<${Button} onClick=${() => settle(false)}
			>${t('signin.later')}</${Button}>`}>
		<p>${t('signin.ended')}</p>
		${why && html`<p class="muted">${t('signin.endedWhy', why)}</p>`}
		<${SignInWays} beside />
	</${Dialog}>`;
}

// ---- the frame ----

function SearchField() {
	const [text, setText] = useState('');

	return html`<form role="search" class="find" onSubmit=${(event) => {
		const given = trimmed(event.target.elements.find.value);

		event.preventDefault();
		if (!given) return;
		go(withQuery('/', { find: given }));
		setText('');
	}}>
		<label class="sr" for="find">${t('frame.searchLabel')}</label>
		<input id="find" name="find" type="search" autocomplete="off"
			spellcheck=${false} placeholder=${t('frame.searchHint')}
			title=${t('frame.searchLabel')} value=${text}
			onInput=${(event) => setText(event.target.value)} />
		<button type="submit" class="button" aria-label=${t('frame.go')}
			title=${t('frame.go')}><${Icon} name="search" /></button>
	</form>`;
}

function NavLink({ to, at, children }) {
	return html`<a href=${href(to)} aria-current=${at ? 'page' : undefined}
		>${children}</a>`;
}

function Header({ page }) {
	return html`<header class="top">
		<a class="skip" href="#main" onClick=${(event) => {
			event.preventDefault();
			document.getElementById('main').focus();
		}}>${t('frame.skip')}</a>
		<a class="brand" href=${href('/')}>${t('frame.brand')}</a>
		<${SearchField} />
		<nav aria-label=${t('frame.navigation')}>
			<${NavLink} to="/" at=${page === 'search'}>${t('frame.home')}</${NavLink}>
			<${NavLink} to="/health" at=${page === 'health'}>${t('frame.health')}</${NavLink}>
		</nav>
		<div class="who"><span class="sr">${t('frame.signedInAs')}</span>
			<bdi class="actor" title=${t('frame.signedInAs')}>${auth.actor()}</bdi>
			<${Button} look="quiet" onClick=${() => auth.signOut()}
				>${t('frame.signOut')}</${Button}></div>
	</header>`;
}

// A fault of a page is told, and leaves the frame as it is.
class Guard extends Component {
	constructor() {
		super();
		this.state = { error: null };
	}

	componentDidCatch(error) {
		this.setState({ error });
	}

	render({ children }, { error }) {
		if (!error) return children;
		return html`<${Problem} problem=${asProblem(error)}
			onRetry=${() => this.setState({ error: null })} />`;
	}
}

// The module of a page, loaded when it is first needed.
function usePage(name) {
	const [is, set] = useState({});
	const [turn, setTurn] = useState(0);

	useEffect(() => {
		if (!name || is[name]?.Page) return;
		import(`./pages/${name}.js`).then(
			(module) => set((was) => ({ ...was, [name]: { Page: module.default } })),
			(error) => set((was) => ({ ...was, [name]: { error } })));
	}, [name, turn]);
	return { ...is[name], retry: () => window.location.reload() };
}

function NoPage({ path }) {
	return html`<h1>${t('frame.noPage')}</h1><${Empty} why=${
		t('frame.noPageWhy', path)}><p><a href=${href('/')}>${
		t('frame.toSearch')}</a></p></${Empty}>`;
}

function App() {
	const [at, setAt] = useState(here());
	const main = useRef(null);
	const last = useRef(at.path);

	useAuth();
	useEffect(() => onMove(() => setAt(here())), []);
	useEffect(() => {
		// Another page: who reads by ear begins at its top.
		if (last.current !== at.path) main.current?.focus();
		last.current = at.path;
	}, [at.path]);
	const route = routeOf(at.path);
	const { Page, error, retry } = usePage(route?.page);

	if (!auth.known()) return html`<${SignIn} />`;
	return html`<${Header} page=${route?.page} />
		<main id="main" tabindex="-1" ref=${main}>
			<${Guard} key=${at.path}>${
				!route ? html`<${NoPage} path=${at.path} />`
				: error ? html`<${Problem} problem=${asProblem(error)} onRetry=${retry} />`
				: Page ? html`<${Page} params=${route.params} query=${at.query} go=${go} />`
				: html`<${Loading} />`}</${Guard}>
		</main>
		${auth.asking() && html`<${SignInAgain} />`}`;
}

// ---- the start ----

async function readConfig() {
	let response;

	try {
		response = await fetch(CONFIG, { cache: 'no-store' });
	} catch {
		throw new Error(t('signin.configAway'));
	}
	if (!response.ok) throw new Error(t('signin.configStatus', response.status));
	return response.json().catch(() => {
		throw new Error(t('signin.configBad'));
	});
}

async function start() {
	const root = document.getElementById('app');

	if (handOver()) {
		root.textContent = t('signin.handedOver');
		return;
	}
	try {
		const goOn = await auth.init(await readConfig());

		if (goOn) go(goOn, { replace: true });
	} catch (error) {
		render(html`<main class="signin" id="main"><h1>${t('frame.title')}</h1>
			<${Empty} what=${t('signin.noConfig')} why=${
				t('signin.noConfigDo', CONFIG, error.message)} /></main>`, root);
		return;
	}
	startRouter();
	root.textContent = '';
	render(html`<${App} />`, root);
}

start();
