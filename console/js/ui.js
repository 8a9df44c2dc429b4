// The parts that pages are made of.

import { html, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef,
	useState } from './preact.js';
import { api, asProblem } from './api.js';
import { auth } from './auth.js';
import { formatNumber, formatTime, formatUtc } from './format.js';
import { href } from './router.js';
import { remedyOf, t, word } from './texts.js';

// ---- hooks ----

// What `load` (an async function that takes an AbortSignal) answers, asked for
// again when one of `deps` changes: {data, problem, loading, reload, setData}.
// While it is asked for again the old data stays.
export function useLoad(load, deps) {
	const [is, set] = useState({ data: null, problem: null, loading: true });
	const [turn, setTurn] = useState(0);

	useEffect(() => {
		const abort = new AbortController();

		set((was) => ({ ...was, loading: true }));
		load(abort.signal).then(
			(data) => set({ data, problem: null, loading: false }),
			(error) => {
				if (abort.signal.aborted) return;
				set((was) => ({ ...was, problem: asProblem(error),
					loading: false }));
			});
		return () => abort.abort();
	}, [...deps, turn]);
	return { ...is, reload: useCallback(() => setTurn((n) => n + 1), []),
		setData: (data) => set({ data, problem: null, loading: false }) };
}

// Asks again `ms` after each answer, as long as somebody looks; 0: not at all.
export function useAgain(ms, { loading, reload }) {
	useEffect(() => {
		if (!ms || loading) return undefined;
		const look = () => { if (!document.hidden) reload(); };
		const timer = setTimeout(look, ms);

		document.addEventListener('visibilitychange', look);
		return () => {
			clearTimeout(timer);
			document.removeEventListener('visibilitychange', look);
		};
	}, [ms, loading, reload]);
}

export function useTitle(title) {
	useEffect(() => {
		document.title = title ? `${title} – ${t('frame.title')}`
			: t('frame.title');
	}, [title]);
}

// {may, why}: may the signed-in one do this? permission: read, link, status,
// cpe or admin. While it is not known yet, may is false and why is empty.
export function usePermission(name) {
	const [, again] = useState(0);

	useEffect(() => auth.onChange(() => again((n) => n + 1)), []);
	return auth.permission(name) ?? { may: false, why: '' };
}

// ---- small parts ----

const ICONS = {
	good: 'M3 8.5l3.2 3.2L13 5',
	bad: 'M4 4l8 8M12 4l-8 8',
	open: 'M8 2.5a5.5 5.5 0 1 0 5.5 5.5M8 5v3l2 1.5',
	none: 'M3.5 8h9',
	warn: 'M8 2.5L14.5 13.5h-13zM8 6.5v3.2M8 11.4v.4',
	info: 'M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11',
	copy: 'M5.5 5.5h7.5v8H5.5zM10.5 5.5v-3H3v8h2.5',
	search: 'M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9M10.5 10.5l3.5 3.5',
	close: 'M4 4l8 8M12 4l-8 8',
	arrow: 'M3 8h10M9 4l4 4-4 4',
};

export function Icon({ name }) {
	return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"
		focusable="false"><path d=${ICONS[name]} /></svg>`;
}

// A button that copies `text`; `what` says of what it is, for who cannot see.
export function Copy({ text, what }) {
	const [is, set] = useState('');

	useEffect(() => {
		if (!is) return undefined;
		const timer = setTimeout(() => set(''), 2000);
		return () => clearTimeout(timer);
	}, [is]);
	const copy = () => navigator.clipboard.writeText(text).then(
		() => set('copied'), () => set('notCopied'));
	const label = t('ui.copy', what ?? text);

	return html`<button type="button" class="copy" onClick=${copy}
		aria-label=${label} title=${is ? t(`ui.${is}`) : label}
		data-done=${is}
	><${Icon} name=${is === 'copied' ? 'good' : is ? 'bad' : 'copy'} /><span
		class="sr" role="status">${is && t(`ui.${is}`)}</span></button>`;
}

// An id or a number of a ticket: text, a link if there is `to`, and a button
// that copies it.
export function Id({ text, to, what }) {
	return html`<span class="id">${to
		? html`<a href=${href(to)}><bdi>${text}</bdi></a>`
		: html`<bdi>${text}</bdi>`}<${Copy} text=${String(text)}
		what=${what} /></span>`;
}

// A state by word and shape. Unknown ones (a status that somebody has made)
// are shown as they are.
export function State({ value, label }) {
	const known = word('state', value);
	const [name, shape] = Array.isArray(known) ? known : [value, 'info'];

	return html`<span class="state" data-shape=${shape}><${Icon} name=${shape}
		/><bdi>${label ?? name}</bdi></span>`;
}

// In the reader's zone; UTC on hover.
export function Time({ at, ms }) {
	if (!at) return html`<span class="muted">–</span>`;
	return html`<time datetime=${at} title=${formatUtc(at)}>${
		formatTime(at, { ms })}</time>`;
}

// A list of names and values: items [[name, value], ...]; null ones are left
// out.
export function Facts({ items }) {
	return html`<dl class="facts">${items.filter(Boolean).map(
		([name, value]) => html`<div><dt>${name}</dt><dd>${
			value === null || value === undefined || value === ''
				? html`<span class="muted">–</span>` : value}</dd></div>`)}</dl>`;
}

// Nothing is here: what, why, and what one can do next.
export function Empty({ what, why, children }) {
	return html`<div class="empty">${what
		&& html`<p><strong>${what}</strong></p>`}${
		why && html`<p>${why}</p>`}${children}</div>`;
}

export function Loading({ what }) {
	return html`<p class="loading" role="status" aria-busy="true">${
		what ?? t('frame.loading')}</p>`;
}

export function Section({ title, aside, id, children }) {
	const heading = useId();

	return html`<section id=${id} aria-labelledby=${heading}>
		<header class="section-head"><h2 id=${heading}>${title}</h2>${aside}
		</header>${children}</section>`;
}

// look: primary, danger, quiet or nothing. With `reason` it is disabled and
// says why (its title is read as its description); it keeps the focus, so that
// the reason can be read.
export function Button({ children, onClick, look, reason, disabled, busy,
	type = 'button', ...more }) {
	const off = Boolean(reason) || disabled || busy;

	return html`<button type=${type} class="button" data-look=${look}
		aria-disabled=${off ? 'true' : undefined}
		aria-busy=${busy ? 'true' : undefined} title=${reason || undefined}
		onClick=${(event) => {
			if (off) event.preventDefault();
			else onClick?.(event);
		}} ...${more}>${children}</button>`;
}

// ---- problems ----

// Every problem: what it is, what to do about it, its code and its request id
// to copy, and the way to the trace.
export function Problem({ problem, onRetry, children }) {
	const p = asProblem(problem);
	const lost = p.code === 'NO_ANSWER' || p.changing && p.status === 0;

	return html`<div class="problem" role="alert">
		<p class="problem-what"><${Icon} name="bad" /><span
			><strong>${p.title || p.code}.</strong> <bdi>${p.detail}</bdi></span></p>
		${p.errors.length > 0 && html`<ul>${p.errors.map((e) => html`<li>${
			e.field && html`<code>${e.field}</code>`} ${e.message}</li>`)}</ul>`}
		<p>${t('ui.what')}: ${remedyOf(p)}${p.retryAfter
			&& ` ${t('ui.retryAfter', p.retryAfter)}`}</p>
		${children}
		<p class="problem-ids">${t('ui.code')} <code>${p.code}</code>${
			p.requestId && html` · ${t('ui.requestId')} <${Id}
				text=${p.requestId} what=${t('ui.requestId')} />`}${
			p.operationId && html` · <a href=${href(
				`/operation/${p.operationId}`)}>${t('ui.trace')}</a>`}${
			lost && p.requestId && html` · <a href=${href(
				`/request/${p.requestId}`)}>${t('ui.lookUp')}</a>`}</p>
		${onRetry && html`<${Button} onClick=${onRetry}>${
			t('ui.tryAgain')}</${Button}>`}
	</div>`;
}

// ---- dialogs ----

const FIELDS = '.dialog-body :is(input, select, textarea):not(:disabled)';

// A modal dialog: the browser keeps the focus in it and closes it by Esc;
// afterwards the focus is where it was. While it is `busy` it stays.
export function Dialog({ title, onClose, busy, wide, actions, children }) {
	const ref = useRef(null);
	const heading = useId();

	useLayoutEffect(() => {
		const before = document.activeElement;
		const dialog = ref.current;

		dialog.showModal();
		dialog.querySelector(FIELDS)?.focus();
		return () => {
			dialog.close();
			if (before?.isConnected) before.focus();
		};
	}, []);
	const close = () => { if (!busy) onClose(); };

	return html`<dialog ref=${ref} class="dialog" data-wide=${wide}
		aria-labelledby=${heading} onCancel=${(event) => {
			event.preventDefault();
			close();
		}}>
		<header><h2 id=${heading}>${title}</h2><button type="button"
			class="copy" aria-label=${t('ui.close')} title=${t('ui.close')}
			aria-disabled=${busy ? 'true' : undefined} onClick=${close}
			><${Icon} name="close" /></button></header>
		<div class="dialog-body">${children}</div>
		${actions && html`<footer>${actions}</footer>`}
	</dialog>`;
}

// ---- tables ----

// columns: {title, cell(row), num (aligned right), wide (takes what is left)};
// rowKey(row). Scrolls within its box.
export function Table({ columns, rows, rowKey, caption }) {
	return html`<div class="table-box" tabindex="0" role="group"
		aria-label=${caption}><table><caption class="sr">${caption}</caption>
		<${Head} columns=${columns} />
		<tbody>${rows.map((row, i) => html`<${StillRow} key=${rowKey?.(row) ?? i}
			row=${row} columns=${columns} />`)}</tbody></table></div>`;
}

// Of a long list only the rows that are new are rendered: a row does not change
// unless it is another object.
function StillRow({ row, columns }) {
	return useMemo(() => html`<${Row} row=${row} columns=${columns} />`,
		[row, columns]);
}

function classOf({ num, wide }) {
	return num ? 'num' : wide ? 'wide' : undefined;
}

function Head({ columns }) {
	return html`<thead><tr>${columns.map((c) => html`<th scope="col"
		class=${classOf(c)}>${c.title}</th>`)}</tr></thead>`;
}

function Row({ row, columns, index }) {
	return html`<tr aria-rowindex=${index}>${columns.map((c) => html`<td
		class=${classOf(c)}>${c.cell(row)}</td>`)}</tr>`;
}

const SPARE = 10; // rows above and below those that are seen

// The same for many rows, all of one height (px, also in console.css): only
// what is seen is rendered. height: of the box, in px.
export function VirtualTable({ columns, rows, rowKey, caption, rowHeight = 36,
	height = 480 }) {
	const [top, setTop] = useState(0);
	const box = useRef(null);
	const first = Math.max(0, Math.floor(top / rowHeight) - SPARE);
	const last = Math.min(rows.length,
		Math.ceil((top + height) / rowHeight) + SPARE);
	const seen = useMemo(() => rows.slice(first, last), [rows, first, last]);

	useLayoutEffect(() => {
		// Fewer rows than before: the browser has moved the box by itself.
		setTop(box.current.scrollTop);
	}, [rows.length]);
	return html`<div class="table-box virtual" tabindex="0" role="group"
		aria-label=${caption} ref=${box} style=${{ maxHeight: `${height}px`,
			'--row-height': `${rowHeight}px` }}
		onScroll=${(event) => setTop(event.currentTarget.scrollTop)}>
		<table aria-rowcount=${rows.length + 1}><caption class="sr">${caption
		}</caption><${Head} columns=${columns} />
		<tbody>
			<${Gap} height=${first * rowHeight} columns=${columns.length} />
			${seen.map((row, i) => html`<${Row} key=${rowKey?.(row) ?? first + i}
				row=${row} columns=${columns} index=${first + i + 2} />`)}
			<${Gap} height=${(rows.length - last) * rowHeight}
				columns=${columns.length} />
		</tbody></table></div>`;
}

function Gap({ height, columns }) {
	return html`<tr class="gap" aria-hidden="true"><td colspan=${columns}
		style=${{ height: `${Math.max(0, height)}px` }} /></tr>`;
}

// ---- lists that are read page by page ----

// The pages of a list: {items, next, loading, problem, more, reload}. The
// first one is asked for at once, and anew when the path or the query changes.
export function usePages(path, query) {
	const [is, set] = useState({ items: [], next: null, loading: true,
		problem: null });
	const [turn, setTurn] = useState(0);
	const asked = useRef(null);
	const text = JSON.stringify(query ?? {});

	async function load(after, before) {
		const abort = new AbortController();

		asked.current?.abort();
		asked.current = abort;
		set((was) => ({ ...was, loading: true, problem: null }));
		try {
			const { items, next } = await api.get(path,
				{ query: { ...JSON.parse(text), after }, signal: abort.signal });

			set({ items: [...before, ...items], next, loading: false,
				problem: null });
		} catch (error) {
			if (abort.signal.aborted) return;
			set((was) => ({ ...was, loading: false, problem: asProblem(error) }));
		}
	}
	useEffect(() => {
		load(null, []);
		return () => asked.current?.abort();
	}, [path, text, turn]);
	return { ...is, reload: () => setTurn((n) => n + 1),
		more: () => !is.loading && load(is.next, is.items) };
}

// Below a list: how many there are, and a button for more. scroll: more comes
// by itself when this is nearly in sight.
export function Pages({ pages, scroll }) {
	const ref = useRef(null);
	const { items, next, loading, problem, more } = pages;

	useEffect(() => {
		if (!scroll || !next || loading || problem) return undefined;
		const look = new IntersectionObserver(([seen]) => {
			if (seen.isIntersecting) more();
		}, { rootMargin: '600px' });

		look.observe(ref.current);
		return () => look.disconnect();
	}, [scroll, next, loading, problem]);
	return html`<div class="pages" ref=${ref}>
		${problem && html`<${Problem} problem=${problem} onRetry=${more} />`}
		<span class="muted" role="status">${loading ? t('frame.loading')
			: next === null ? t('ui.all', formatNumber(items.length))
			: t('ui.some', formatNumber(items.length))}</span>
		${next !== null && html`<${Button} onClick=${more} busy=${loading}>${
			t('ui.more')}</${Button}>`}</div>`;
}
