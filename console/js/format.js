// Times in the reader's zone, numbers, durations.

const LOCALE = 'en-GB';
const time = new Intl.DateTimeFormat(LOCALE, {
	year: 'numeric', month: 'short', day: '2-digit',
	hour: '2-digit', minute: '2-digit', second: '2-digit',
});
const timeMs = new Intl.DateTimeFormat(LOCALE, {
	year: 'numeric', month: 'short', day: '2-digit',
	hour: '2-digit', minute: '2-digit', second: '2-digit',
	fractionalSecondDigits: 3,
});
const clock = new Intl.DateTimeFormat(LOCALE, {
	hour: '2-digit', minute: '2-digit', second: '2-digit',
});
const number = new Intl.NumberFormat(LOCALE);

// 02 Jan 2026, 04:04:05
export function formatTime(at, { ms = false } = {}) {
	const date = new Date(at);

	if (Number.isNaN(date.getTime())) return String(at);
	return (ms ? timeMs : time).format(date);
}

export function formatClock(at) {
	return clock.format(new Date(at));
}

// 2026-01-02 03:04:05.678 UTC
export function formatUtc(at) {
	const date = new Date(at);

	if (Number.isNaN(date.getTime())) return String(at);
	return `${date.toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

export function formatNumber(n) {
	return number.format(n);
}

// 12 ms, 3.4 s, 5 min, 2 h 10 min, 3 d 4 h
export function formatDuration(ms) {
	if (ms < 1000) return `${Math.round(ms)} ms`;
	const s = ms / 1000;
	if (s < 10) return `${s.toFixed(1)} s`;
	if (s < 60) return `${Math.round(s)} s`;
	const min = Math.floor(s / 60);
	if (min < 60) return `${min} min`;
	const hours = Math.floor(min / 60);
	if (hours < 24) return two(hours, 'h', min % 60, 'min');
	return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function two(a, unitA, b, unitB) {
	return b ? `${a} ${unitA} ${b} ${unitB}` : `${a} ${unitA}`;
}

// Blanks of any kind around a text, and marks that nobody sees, are dropped.
export function trimmed(text) {
	return text.replace(/^[\s\u00a0\u0085\u200b\u200e\u200f\ufeff]+|[\s\u00a0\u0085\u200b\u200e\u200f\ufeff]+$/gu, '');
}
