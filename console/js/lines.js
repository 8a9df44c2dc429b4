// A list of ticket numbers, as it is pasted or dropped: one number a line, CSV
// with or without a header, a spreadsheet's column or row.
//
//	parse(text)		-> {lines, duplicates, wrong, columns, column, header}
//	parse(text, {column})	the same, with another column of the table
//	decode(bytes)		-> text, of a file
//
// lines: [{name, at}], each number once; at is its row. duplicates: [{name, at,
// first}], told and left out. wrong: [{name, at, why}], which no ticket can be
// called. A list that cannot be taken throws a Refused with a code.

export const LIMIT = 20000;
const LONGEST = 64;

export class Refused extends Error {
	constructor(code, values = {}) {
		super(code);
		Object.assign(this, { code, values });
	}
}

// ---- bytes ----

const MARKS = [
	[[0xef, 0xbb, 0xbf], 'utf-8'],
	[[0xff, 0xfe], 'utf-16le'],
	[[0xfe, 0xff], 'utf-16be'],
];

function begins(bytes, start) {
	return start.every((byte, i) => bytes[i] === byte);
}

// What no text begins with: a packed spreadsheet, an old one, a PDF.
const BINARY = [[0x50, 0x4b, 3, 4], [0xd0, 0xcf, 0x11, 0xe0], [0x25, 0x50, 0x44, 0x46]];

export function decode(buffer) {
	const bytes = new Uint8Array(buffer);

	if (BINARY.some((start) => begins(bytes, start)))
		throw new Refused('NOT_TEXT');
	const mark = MARKS.find(([start]) => begins(bytes, start));
	if (mark)
		return new TextDecoder(mark[1]).decode(bytes);
	if (bytes.includes(0))
		throw new Refused('NOT_TEXT');
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch {
		return new TextDecoder('windows-1252').decode(bytes);
	}
}

// ---- cells ----

// White space, and what a page or a mail puts around a number unseen: marks of
// zero width, of direction, of joining.
const UNSEEN = /[\s\u0085\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/;

function isUnseen(text, i) {
	const code = text.charCodeAt(i);

	return code <= 32 || (code > 126 && UNSEEN.test(text[i]));
}

function bare(text) {
	let from = 0, to = text.length;

	while (from < to && isUnseen(text, from))
		from++;
	while (to > from && isUnseen(text, to - 1))
		to--;
	return text.slice(from, to);
}

// A spreadsheet writes ="007" or '007 for a number that is text.
function clean(cell) {
	const text = bare(cell);

	if (text.startsWith('="') && text.endsWith('"') && text.length > 2)
		return bare(text.slice(2, -1));
	return /^'\d/.test(text) ? text.slice(1) : text;
}

const PLAIN = /["\t;,|]/;
const BREAK = /\r\n|[\r\n\v\f\u2028\u2029]/g;

// The delimiter that most rows of the beginning have; '' if less than half of them
// have the same.
function delimiterOf(text) {
	const rows = text.slice(0, 20000).split(BREAK)
		.filter((row) => row.trim()).slice(0, 50);
	let best = '', most = 0;

	for (const mark of ['\t', ';', ',', '|']) {
		const having = rows.filter((row) => row.includes(mark)).length;
		if (having > most)
			[best, most] = [mark, having];
	}
	return most * 2 >= rows.length ? best : '';
}

// Where the cell that begins at `from` with a quote is closed, or -1. It may have
// delimiters and line breaks in it, and "" for a quote.
function closing(text, from) {
	let at = text.indexOf('"', from + 1);

	while (at >= 0 && text[at + 1] === '"')
		at = text.indexOf('"', at + 2);
	return at;
}

// A quote that nothing closes is a sign like any other.
function rowsOf(text, mark) {
	const ends = mark ? new RegExp(`${mark === '|' ? '\\|' : mark}|${BREAK.source}`, 'g') : BREAK;
	const rows = [];
	let row = [], at = 0;

	const endAfter = (from) => {
		ends.lastIndex = from;
		return ends.exec(text) ?? { 0: '', index: text.length };
	};
	for (;;) {
		let end = endAfter(at);
		let cell = text.slice(at, end.index);
		if (/^[^\S\t]*"/.test(cell)) {
			const open = text.indexOf('"', at);
			const close = closing(text, open);
			const after = close < 0 ? null : endAfter(close);
			if (after && !bare(text.slice(close + 1, after.index))) {
				end = after;
				cell = text.slice(open + 1, close).replaceAll('""', '"');
			}
		}
		row.push(clean(cell));
		if (!end[0] || end[0] !== mark) {
			rows.push(row);
			row = [];
		}
		if (!end[0])
			return rows;
		at = end.index + end[0].length;
	}
}

// The usual case, without a look at each sign.
function plainRows(text) {
	return text.split(BREAK).map((row) => [clean(row)]);
}

// ---- the table ----

const TITLES = /^(ctt|(trouble ?)?tickets?|number|no\.?|nr\.?|ticket(no|nr|id|number)|ctt(no|nr|id|number|ticketno))$/i;

function isTitle(cell) {
	return TITLES.test(cell.replace(/[\s_.-]+(?=.)/g, '')) || TITLES.test(cell);
}

function isNumber(cell) {
	return cell.length <= LONGEST && /\d/.test(cell) && !/\s/.test(cell);
}

// A first row without any digit is a header if a cell of it is a known title or
// what stands below it has digits.
function hasHeader(rows) {
	const [first, second] = rows;

	if (first.some((cell) => /\d/.test(cell)) || !first.some((cell) => cell))
		return false;
	return first.some(isTitle) || (second ?? []).some(isNumber);
}

// Of several columns: the one with a known title, then the one that has most
// different numbers. A date or an address is no ticket number.
function columnOf(rows, header) {
	const titled = header ? header.findIndex(isTitle) : -1;
	if (titled >= 0)
		return titled;
	const some = rows.slice(0, 200);
	const width = Math.max(1, ...some.map((row) => row.length));
	let best = 0, most = 0;

	for (let i = 0; i < width; i++) {
		const numbers = new Set(some.map((row) => row[i] ?? '').filter((cell) =>
			isNumber(cell) && !/^\d{4}-\d\d-\d\d|^\d+[.:/]\d+[.:/]\d+|@|^\d{1,3}$/.test(cell)));
		if (numbers.size > most)
			[best, most] = [i, numbers.size];
	}
	return best;
}

// One row of many numbers is a list that lies on its side.
function upright(rows) {
	const [only] = rows;

	if (rows.length !== 1 || only.length < 2 || !only.every((cell) => !cell || isNumber(cell)))
		return rows;
	return only.filter((cell) => cell).map((cell) => [cell]);
}

function whyWrong(name) {
	if (name.length > LONGEST)
		return 'TOO_LONG';
	return /[\0-\x1f\x7f-\x9f]/.test(name) ? 'CONTROL' : null;
}

// ---- the list ----

function table(text) {
	let mark = null;
	const body = text.replace(/^\ufeff/, '').replace(/^sep=([\t;,|])\r?\n/i, (_, given) => {
		mark = given;
		return '';
	});

	if (!PLAIN.test(body) && !mark)
		return plainRows(body);
	return rowsOf(body, mark ?? delimiterOf(body));
}

export function parse(text, { column } = {}) {
	const at = new Map();
	const rows = upright(table(text).filter((row, i) => row.some((cell) => cell)
		&& at.set(row, i + 1)));
	const header = rows.length && hasHeader(rows) ? rows[0] : null;
	const body = header ? rows.slice(1) : rows;
	const chosen = column ?? columnOf(body, header);
	const found = { lines: [], duplicates: [], wrong: [], column: chosen, header: !!header,
		columns: columnsOf(body, header) };
	const first = new Map();

	body.forEach((row, i) => {
		take(found, first, row[chosen] ?? '', at.get(row) ?? i + 1);
	});
	if (found.lines.length > LIMIT)
		throw new Refused('TOO_MANY', { count: found.lines.length, limit: LIMIT });
	return found;
}

function take(found, first, name, at) {
	const why = whyWrong(name);

	if (!name)
		return;
	if (why)
		found.wrong.push({ name, at, why });
	else if (first.has(name))
		found.duplicates.push({ name, at, first: first.get(name) });
	else {
		first.set(name, at);
		found.lines.push({ name, at });
	}
}

function columnsOf(body, header) {
	const width = Math.max(0, ...body.slice(0, 200).map((row) => row.length), header?.length ?? 0);

	return Array.from({ length: width }, (_, i) => ({
		title: header?.[i] || null,
		sample: body.find((row) => row[i])?.[i] ?? '',
	}));
}

// ---- the other way: CSV to save ----

// A spreadsheet takes a cell that begins so for a formula, and runs it.
const FORMULA = /^[=+\-@]/;

function csvCell(value) {
	const text = String(value ?? '');

	return `"${(FORMULA.test(bare(text)) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

// With the mark by which a spreadsheet knows UTF-8.
export function csv(rows) {
	return '\ufeff' + rows.map((row) => row.map(csvCell).join(',') + '\r\n').join('');
}
