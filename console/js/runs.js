// Where runs are kept while they last: in this browser, so that a page that was
// closed can be gone on from. Numbers of tickets and what became of them; never a
// token.
//
// A store: list() -> records, load(id) -> {record, lines, portions}, putRecord,
// putLines, putPortions, remove. memory() is one that lasts as long as the page.

const PARTS = ['records', 'lines', 'portions'];
const KEEP_MS = { done: 24 * 3600 * 1000, paused: 7 * 24 * 3600 * 1000 };

function promised(request) {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

function opened() {
	const request = indexedDB.open('cttd-console', 1);

	request.onupgradeneeded = () => {
		for (const part of PARTS)
			request.result.createObjectStore(part);
	};
	return promised(request);
}

// The portions of a run are `<run>.<n>`, and "/" is what follows ".".
function range(id) {
	return IDBKeyRange.bound(`${id}.`, `${id}/`);
}

class Kept {
	constructor(db) {
		this.db = db;
	}

	// One transaction; it is on disk when this returns.
	write(part, work) {
		return new Promise((resolve, reject) => {
			const tx = this.db.transaction(part, 'readwrite', { durability: 'strict' });
			tx.oncomplete = resolve;
			tx.onerror = tx.onabort = () => reject(tx.error);
			work((name) => tx.objectStore(name));
		});
	}

	read(part, work) {
		return promised(work(this.db.transaction(part).objectStore(part)));
	}

	list() {
		return this.read('records', (store) => store.getAll());
	}

	async load(id) {
		const [record, lines, portions] = await Promise.all([
			this.read('records', (store) => store.get(id)),
			this.read('lines', (store) => store.get(id)),
			this.read('portions', (store) => store.getAll(range(id))),
		]);

		return { record, lines, portions: portions.sort((a, b) => a.n - b.n) };
	}

	putRecord(record) {
		return this.write(['records'], (of) => of('records').put(record, record.id));
	}

	putLines(id, lines) {
		return this.write(['lines'], (of) => of('lines').put(lines, id));
	}

	putPortions(id, portions) {
		return this.write(['portions'], (of) => portions.forEach((p) =>
			of('portions').put(p, `${id}.${p.n}`)));
	}

	remove(id) {
		return this.write(PARTS, (of) => {
			of('records').delete(id);
			of('lines').delete(id);
			of('portions').delete(range(id));
		});
	}
}

export function memory() {
	const runs = new Map();
	const of = (id) => runs.get(id) ?? runs.set(id, { portions: new Map() }).get(id);
	const copy = (value) => structuredClone(value);

	return {
		list: async () => [...runs.values()].map((run) => copy(run.record)).filter(Boolean),
		load: async (id) => ({ record: copy(of(id).record), lines: copy(of(id).lines),
			portions: [...copy(of(id).portions).values()].sort((a, b) => a.n - b.n) }),
		putRecord: async (record) => void (of(record.id).record = copy(record)),
		putLines: async (id, lines) => void (of(id).lines = copy(lines)),
		putPortions: async (id, portions) => copy(portions).forEach((p) =>
			of(id).portions.set(p.n, p)),
		remove: async (id) => void runs.delete(id),
	};
}

// The browser's, or one for this page alone where it keeps nothing.
export async function open() {
	try {
		return new Kept(await opened());
	} catch {
		return Object.assign(memory(), { brief: true });
	}
}

// Those of an NTT and an actor; what is too old goes.
export async function runsOf(store, nttId, actor, now = Date.now()) {
	const mine = [];

	for (const record of await store.list()) {
		if (now - record.at > (KEEP_MS[record.state] ?? KEEP_MS.paused))
			await store.remove(record.id);
		else if (record.plan.ntt.id === nttId && record.plan.actor === actor)
			mine.push(record);
	}
	return mine.sort((a, b) => b.at - a.at);
}
