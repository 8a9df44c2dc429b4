// Where the reader is: paths under /console/. A path here has no prefix, such
// as /ctt/17?tab=audit; filters of a list are its query.

const BASE = '/console';
const listeners = new Set();

export function href(path) {
	return BASE + path;
}

export function here() {
	const { pathname, search } = window.location;
	const path = pathname.startsWith(BASE)
		? pathname.slice(BASE.length) || '/' : pathname;

	return { path, query: Object.fromEntries(new URLSearchParams(search)) };
}

// '/ctt' and {status: 'Open', q: ''} make /ctt?status=Open: what is empty is
// left out.
export function withQuery(path, query) {
	const given = Object.entries(query)
		.filter(([, value]) => value !== '' && value != null);
	const text = new URLSearchParams(given).toString();

	return text ? `${path}?${text}` : path;
}

function tell() {
	for (const listener of listeners) listener();
}

// Goes there. With replace the way back does not come by here again.
export function go(path, { replace = false } = {}) {
	const method = replace ? 'replaceState' : 'pushState';

	window.history[method](null, '', href(path));
	if (!replace) window.scrollTo(0, 0);
	tell();
}

export function onMove(listener) {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

// A plain click on a link of ours stays in this page.
function followed(event) {
	const link = event.target.closest?.('a[href]');

	if (!link || event.defaultPrevented || event.button
		|| event.ctrlKey || event.metaKey || event.shiftKey || event.altKey
		|| link.target || link.hasAttribute('download')
		|| link.origin !== window.location.origin
		|| !link.pathname.startsWith(`${BASE}/`)
		|| link.getAttribute('href').startsWith('#')) return;
	event.preventDefault();
	go(link.pathname.slice(BASE.length) + link.search);
}

export function startRouter() {
	window.addEventListener('popstate', tell);
	document.addEventListener('click', followed);
}
