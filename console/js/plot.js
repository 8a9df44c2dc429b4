// How many CTTs were linked over time: from the audit, drawn as steps, and the
// same as a table. The functions above Plot have no DOM in them.

import { html, useEffect, useRef, useState } from './preact.js';
import { formatNumber, formatTime } from './format.js';
import { t } from './texts.js';
import { Table, Time } from './ui.js';

const CHANGE = { LINK: 1, UNLINK: -1 };

// The steps up to now, the earliest first: {at, count}. audit: rows of the NTT,
// the latest first; count: how many are linked now, from which is counted back.
export function steps(audit, count, now) {
	const points = [{ at: now, count }];
	let before = count;

	for (const row of audit) {
		const change = row.outcome === 'SUCCESS' && CHANGE[row.action];
		if (!change)
			continue;
		points.push({ at: Date.parse(row.createdAt), count: before });
		before = Math.max(0, before - change);
	}
	if (points.length > 1)
		points.push({ at: points.at(-1).at, count: before });
	return points.reverse();
}

// No more than n: of those that fall together the last one counts.
export function thinned(points, n) {
	if (points.length <= n)
		return points;
	const from = points[0].at;
	const width = (points.at(-1).at - from) / n || 1;
	const last = new Map();

	for (const point of points.slice(1))
		last.set(Math.floor((point.at - from) / width), point);
	return [points[0], ...last.values()];
}

// Round numbers from 0 to at least `most`, few of them.
export function countTicks(most) {
	const rough = Math.max(1, most / 4);
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = Math.max(1, [1, 2, 5, 10].find((n) => n * power >= rough) * power);

	return Array.from({ length: Math.ceil(Math.max(1, most) / step) + 1 }, (_, i) => i * step);
}

const MIN = 60e3, HOUR = 60 * MIN, DAY = 24 * HOUR;
const SPANS = [1e3, 5e3, 15e3, MIN, 5 * MIN, 15 * MIN, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
	2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];

// Round times in the reader's zone, at most n of them.
export function timeTicks(from, to, n) {
	const span = SPANS.find((s) => (to - from) / s <= n) ?? (to - from) / n;
	const zone = new Date(to).getTimezoneOffset() * MIN;
	const ticks = [];

	for (let at = Math.ceil((from - zone) / span) * span + zone; at <= to; at += span)
		ticks.push(at);
	return { ticks, span };
}

function tickText(at, span) {
	const options = span >= DAY ? { month: 'short', day: '2-digit' }
		: span < MIN ? { hour: '2-digit', minute: '2-digit', second: '2-digit' }
		: { hour: '2-digit', minute: '2-digit' };

	return new Intl.DateTimeFormat('en-GB', options).format(at);
}

// The counts at the end of equal spans, for the table.
export function spans(points, n) {
	const from = points[0].at, to = points.at(-1).at;
	const rows = [];
	let i = 0, before = points[0].count;

	for (let k = 1; k <= n; k++) {
		const at = from + (to - from) * k / n;
		let count = before;
		for (; i < points.length && points[i].at <= at; i++)
			count = points[i].count;
		rows.push({ at, count, change: count - before });
		before = count;
	}
	return rows;
}

// ---- the picture ----

const HEIGHT = 200, LEFT = 56, RIGHT = 32, TOP = 12, BOTTOM = 28;

function pathOf(points, x, y) {
	const [first, ...rest] = points;

	return `M${x(first.at)} ${y(first.count)}`
		+ rest.map((p) => `H${x(p.at)}V${y(p.count)}`).join('');
}

function Drawing({ points, width, label }) {
	const to = points.at(-1).at;
	const from = Math.min(points[0].at, to - MIN);
	const counts = countTicks(Math.max(...points.map((p) => p.count)));
	const times = timeTicks(from, to, Math.max(2, Math.floor((width - LEFT - RIGHT) / 90)));
	const x = (at) => +(LEFT + (at - from) / (to - from) * (width - LEFT - RIGHT)).toFixed(1);
	const y = (count) => +(HEIGHT - BOTTOM - count / counts.at(-1) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
	const line = pathOf([{ at: from, count: points[0].count }, ...thinned(points, 400)], x, y);

	return html`<svg class="plot" width=${width} height=${HEIGHT} role="img" aria-label=${label}>
		${counts.map((n) => html`<g class="grid"><path d=${`M${LEFT} ${y(n)}H${width - RIGHT}`} />
			<text x=${LEFT - 8} y=${y(n) + 4} text-anchor="end">${formatNumber(n)}</text></g>`)}
		${times.ticks.map((at) => html`<g class="tick"><path d=${`M${x(at)} ${HEIGHT - BOTTOM}v4`} />
			<text x=${x(at)} y=${HEIGHT - 8} text-anchor="middle">${tickText(at, times.span)}</text></g>`)}
		<path class="area" d=${`${line}V${y(0)}H${x(from)}Z`} />
		<path class="line" d=${line} />
		<circle class="now" cx=${x(to)} cy=${y(points.at(-1).count)} r="3.5" />
	</svg>`;
}

// points: of `steps`.
export function Plot({ points }) {
	const box = useRef(null);
	const [width, setWidth] = useState(0);
	const label = `${t('ntt.plot')}. ${t('ntt.plotNow', formatNumber(points.at(-1).count),
		formatTime(points[0].at))}`;

	useEffect(() => {
		const look = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));

		look.observe(box.current);
		return () => look.disconnect();
	}, []);
	return html`<div class="plot-box" ref=${box}>${width > 0
		&& html`<${Drawing} points=${points} width=${width} label=${label} />`}</div>
		<details><summary>${t('ntt.plotTable')}</summary>
		<${Table} caption=${t('ntt.plot')} rows=${spans(points, Math.min(12, points.length))} columns=${[
			{ title: t('ntt.plotAt'), cell: (row) => html`<${Time} at=${new Date(row.at).toISOString()} />` },
			{ title: t('ntt.plotCount'), num: true, cell: (row) => formatNumber(row.count) },
			{ title: t('ntt.plotChange'), num: true, cell: (row) => (row.change > 0 ? '+' : '') + formatNumber(row.change) },
		]} /></details>`;
}
