// A customer ticket: what it is, what was done to it, and what can be done.

import { html, useEffect, useState } from '../preact.js';
import { ActDialog, Field, Outcome, Remark, useDryRun } from '../act.js';
import { api, asProblem, lov, Problem as ApiProblem } from '../api.js';
import { formatTime, trimmed } from '../format.js';
import { href } from '../router.js';
import { t, word } from '../texts.js';
import { Button, Copy, Empty, Facts, Id, Loading, Pages, Problem, Section, State, Table,
	Time, useLoad, usePages, usePermission, useTitle } from '../ui.js';
import { CpeDialog, notEditable } from './cpe.js';

const AGAIN_MS = 2000;   // while an operation is under way
const OFFERED = 20;      // NTTs, while one types a number
const TERMINAL = ['CLOSED', 'CANCEL'];

// ---- what can be done, and why not ----

// The partner that hears of it, as the server chooses it.
function partnerOfLink(ctt) {
	return word('partner', ctt.source);
}

function partnerOfStatus(ctt) {
	if (!ctt.externalSync) return null;
	return ctt.ticketNo.includes('TaaS') ? t('partner.TAAS') : t('partner.TMF');
}

function isTerminal(ctt) {
	return TERMINAL.includes(ctt.status.toUpperCase());
}

function reasonFor(name, { ctt, activity, operation }, may) {
	const permission = name === 'resolve' ? may.status : may.link;

	if (!permission.may) return permission.why || t('ctt.askingMay');
	if (operation) return t('ctt.underWay');
	if (name === 'resolve') {
		return isTerminal(ctt) ? t('ctt.isTerminal', ctt.status)
			: !activity ? t('ctt.noActivity') : '';
	}
	return ctt.nttId ? (name === 'link' ? t('ctt.isLinked', ctt.nttTicketNo) : '')
		: (name === 'link' ? '' : t('ctt.notLinked'));
}

// ---- the dialogs ----

// A network ticket by its number; those that begin so are offered.
function NttField({ value, onInput }) {
	const [offered, setOffered] = useState([]);
	const text = trimmed(value);

	useEffect(() => {
		const abort = new AbortController();
		const timer = setTimeout(() => api.get('/ticket/ntt', {
			query: { q: text, limit: OFFERED }, signal: abort.signal }).then(
			({ items }) => setOffered(items), () => {}), 200);

		return () => {
			clearTimeout(timer);
			abort.abort();
		};
	}, [text]);
	return html`<${Field} label=${t('ctt.ntt')} required hint=${t('ctt.nttHint')}>${
		(of) => html`<input ...${of} name="ntt" list="ntts" autocomplete="off"
			spellcheck=${false} autofocus value=${value}
			onInput=${(event) => onInput(event.target.value)} />
		<datalist id="ntts">${offered.map((ntt) => html`<option
			value=${ntt.ticketNo}>${t('ctt.nttOffered', ntt.title, ntt.status,
				ntt.cttCount)}</option>`)}</datalist>`}</${Field}>`;
}

function LinkDialog({ ctt, ...more }) {
	const [ntt, setNtt] = useState('');
	const [remark, setRemark] = useState('');
	const body = trimmed(ntt)
		? { cttId: ctt.id, nttId: trimmed(ntt), remark } : null;

	return html`<${ActDialog} title=${t('ctt.linkTitle', ctt.ticketNo)}
		method="POST" path="/ticket/ctt/link" body=${body}
		missing=${t('ctt.chooseNtt')} label=${t('ctt.linkGo')}
		sentence=${(dry) => html`<p>${t('ctt.willLink', ctt.ticketNo,
			dry.ntt.ticketNo, partnerOfLink(ctt))}</p><p class="muted">${
			t('ctt.willLinkAfter', dry.ntt.ticketNo, dry.ntt.cttCount)}</p>`}
		...${more}>
		<${NttField} value=${ntt} onInput=${setNtt} />
		<${Remark} value=${remark} onInput=${setRemark} />
	</${ActDialog}>`;
}

function MoveDialog({ ctt, ...more }) {
	const [ntt, setNtt] = useState('');
	const [remark, setRemark] = useState('');
	const body = trimmed(ntt)
		? { cttIds: [ctt.id], ticketNo: trimmed(ntt), remark } : null;

	return html`<${ActDialog} title=${t('ctt.moveTitle', ctt.ticketNo)}
		method="POST" path="/ticket/ctt/unlink-then-link" body=${body}
		missing=${t('ctt.chooseNtt')} label=${t('ctt.moveGo')}
		sentence=${(dry) => (dry.alreadyOnTarget
			? html`<p>${t('ctt.willNotMove', ctt.ticketNo, dry.ntt.ticketNo)}</p>`
			: html`<p>${t('ctt.willMove', ctt.ticketNo, ctt.nttTicketNo,
				dry.ntt.ticketNo, partnerOfLink(ctt))}</p><p class="muted">${
				t('ctt.willMoveBack', ctt.nttTicketNo, partnerOfLink(ctt))}</p>`)}
		...${more}>
		<p>${t('ctt.isLinked', ctt.nttTicketNo)}</p>
		<${NttField} value=${ntt} onInput=${setNtt} />
		<${Remark} value=${remark} onInput=${setRemark} />
	</${ActDialog}>`;
}

function UnlinkDialog({ ctt, ...more }) {
	const [remark, setRemark] = useState('');
	const [force, setForce] = useState(false);
	const admin = usePermission('admin');
	const body = { nttId: ctt.nttId, cttIds: [ctt.id], remark,
		...(force && { force: true }) };

	return html`<${ActDialog} title=${t('ctt.unlinkTitle', ctt.ticketNo)}
		method="POST" path="/ticket/ctt/unlink" body=${body} look="danger"
		label=${force ? t('ctt.forceGo') : t('ctt.unlinkGo')}
		sentence=${(dry) => html`<p>${t('ctt.willUnlink', ctt.ticketNo,
			ctt.nttTicketNo, partnerOfLink(ctt))}${force
			&& ` ${t('ctt.willForce', partnerOfLink(ctt))}`}</p><p class="muted">${
			t('ctt.willUnlinkAfter', ctt.nttTicketNo, dry.ntt.cttCount)}</p>`}
		...${more}>
		<${Remark} value=${remark} onInput=${setRemark} />
		<div class="field"><label class="check"><input type="checkbox"
			name="force" checked=${force} disabled=${!admin.may}
			onChange=${(event) => setForce(event.target.checked)} />
			${t('ctt.force', partnerOfLink(ctt))}</label>
			<p class="hint">${admin.may ? t('ctt.forceHint') : admin.why}</p></div>
	</${ActDialog}>`;
}

const CODES = { causeCode: 'CAUSE_CODE', disposition: 'DISPOSITION',
	resolutionCode: 'RESOLUTION_CODE', delayReason: 'DELAY_REASON' };

function CodeField({ name, values, value, required, error, onChange }) {
	return html`<${Field} label=${t(`ctt.${name}`)} required=${required}
		error=${error}>${(of) => html`<select ...${of} name=${name} value=${value}
			onChange=${(event) => onChange(event.target.value)}>
			<option value="">${t('ctt.noCode')}</option>
			${values.map((v) => html`<option value=${v.code}>${v.label}</option>`)}
		</select>`}</${Field}>`;
}

// Which codes are required is a setting of the server: it names them when it
// is asked without any.
function ResolveDialog({ ctt, activity, ...more }) {
	const [codes, setCodes] = useState(() => Object.fromEntries(
		Object.keys(CODES).map((name) => [name, activity[name] ?? ''])));
	const [remark, setRemark] = useState('');
	const all = useLoad(lov, []);
	const path = `/ticket/ctt/activity-status/update/${activity.id}`;
	const none = { cttId: ctt.id, status: 'Resolved' };
	const asked = useDryRun('PUT', path, none);
	const required = (asked.problem?.errors ?? []).map((error) => error.field);
	const lacking = required.filter((name) => !codes[name]);
	const body = asked.checking || lacking.length ? null
		: { ...none, ...codes, remark };
	const partner = partnerOfStatus(ctt);
	const again = ctt.status.toUpperCase() === 'RESOLVED';
	const missing = asked.checking ? t('act.checking')
		: t('ctt.chooseCodes', lacking.map((name) => t(`ctt.${name}`)));

	return html`<${ActDialog} title=${t(again ? 'ctt.correctTitle'
			: 'ctt.resolveTitle', ctt.ticketNo)}
		method="PUT" path=${path} body=${body} missing=${missing}
		label=${t(again ? 'ctt.correctGo' : 'ctt.resolveGo')}
		sentence=${(dry) => html`<p>${t('ctt.willResolve', ctt.ticketNo,
			dry.ctt.status, partner, dry.activity.type)}</p>${dry.note
			&& html`<p>${t('ctt.willNote', partner)}</p>`}<p class="muted">${
			t('ctt.willResolveAfter', partner)}</p>`}
		...${more}>
		${all.problem && html`<${Problem} problem=${all.problem}
			onRetry=${all.reload} />`}
		<div class="fields">${Object.entries(CODES).map(([name, type]) =>
			html`<${CodeField} name=${name} values=${all.data?.[type] ?? []}
				value=${codes[name]} required=${required.includes(name)}
				onChange=${(value) => setCodes({ ...codes, [name]: value })} />`)}
		</div>
		<${Remark} value=${remark} onInput=${setRemark} />
	</${ActDialog}>`;
}

const DIALOGS = { link: LinkDialog, move: MoveDialog, unlink: UnlinkDialog,
	resolve: ResolveDialog };

// ---- what an answer says of the ticket ----

// The ticket as it is after an answer; what the answer does not have stays.
function afterwards(name, ticket, { data }) {
	const now = { ...ticket };

	if (data.ctt) now.ctt = { ...ticket.ctt, ...data.ctt };
	if (data.activity) now.activity = { ...ticket.activity, ...data.activity };
	if (data.networkElements) now.networkElements = data.networkElements;
	if (name === 'unlink') {
		now.ctt = { ...ticket.ctt, nttId: null, nttTicketNo: null,
			linkState: 'none' };
	}
	if (name === 'move') {
		now.ctt = { ...ticket.ctt, nttId: data.ntt.id,
			nttTicketNo: data.ntt.ticketNo, linkState: 'linked' };
	}
	return now;
}

function outcomeOf(name, { ctt }, { data, requestId }) {
	const at = new Date().toISOString();
	const pending = data.state === 'SETTLING';
	const ntt = data.ntt?.ticketNo ?? ctt.nttTicketNo;
	const operationId = data.operationId ?? (name === 'unlink'
		? data.results[0].operationId : null);
	const text = pending ? t('ctt.didPending', partnerOfStatus(ctt))
		: name === 'move' && data.alreadyOnTarget ? t('ctt.didNothing', ntt)
		: t(`ctt.did_${name}`, ctt.ticketNo, ntt,
			name === 'resolve' ? partnerOfStatus(ctt) : partnerOfLink(ctt));

	return { text, at, pending, operationId, requestId };
}

// ---- the sections ----

function Actions({ ticket, act, outcome, close }) {
	const may = { link: usePermission('link'), status: usePermission('status') };
	const { ctt } = ticket;
	const names = [ctt.nttId ? 'move' : 'link', 'unlink', 'resolve'];
	const reasons = names.map((name) => [name, reasonFor(name, ticket, may)]);
	const label = (name) => t(name === 'resolve'
		&& ctt.status.toUpperCase() === 'RESOLVED' ? 'ctt.correct' : `ctt.${name}`);

	return html`<div class="actions">
		<div class="buttons">${reasons.map(([name, reason]) => html`<${Button}
			reason=${reason} look=${name === 'unlink' ? 'danger' : undefined}
			onClick=${() => act(name)}>${label(name)}</${Button}>`)}</div>
		${[...new Set(reasons.map(([, reason]) => reason))].filter(Boolean)
			.map((reason) => html`<p class="hint">${reasons.filter(([, r]) =>
				r === reason).map(([name]) => label(name).replace(' …', ''))
				.join(', ')}: ${reason}</p>`)}
		<${Outcome} outcome=${outcome} onClose=${close} />
	</div>`;
}

function Open({ operation }) {
	return html`<div class="done open" data-shape="open" role="status"><${State}
		value=${operation.state} /><span>${t('ctt.open',
			word('kind', operation.kind), operation.actor)} ${operation.nextTryAt
		&& t('ctt.openNext', formatTime(operation.nextTryAt))} ${
		operation.lastError && html`<bdi>${operation.lastError}</bdi> `}<a
		href=${href(`/operation/${operation.operationId}`)}>${
		t('ui.trace')}</a></span></div>`;
}

function What({ ctt }) {
	return html`<div class="panel"><${Facts} items=${[
		[t('ctt.linkedTo'), ctt.nttId ? html`<${Id} text=${ctt.nttTicketNo}
			to=${`/ntt/${ctt.nttId}`} />`
			: html`<${State} value=${ctt.linkState} />`],
		[t('ctt.partner'), word('partner', ctt.source)],
		[t('ctt.segmentGroup'), ctt.segmentGroup
			&& html`<bdi>${ctt.segmentGroup}</bdi>`],
		[t('ctt.externalSync'), ctt.externalSync ? t('ctt.synced')
			: t('ctt.notSynced')],
		[t('ctt.id'), html`<${Id} text=${ctt.id} what=${t('ctt.id')} />`],
		[t('ctt.createdAt'), html`<${Time} at=${ctt.createdAt} />`],
		[t('ctt.updatedAt'), html`<${Time} at=${ctt.updatedAt} />`],
		[t('ctt.resolvedAt'), html`<${Time} at=${ctt.resolvedAt} />`],
	]} /></div>`;
}

function labelOf(values, type, code) {
	return values?.[type]?.find((value) => value.code === code)?.label ?? code;
}

function ActivityEntry({ activity, values }) {
	const codes = Object.entries(CODES).filter(([name]) => activity[name]);

	return html`<p><strong><bdi>${activity.type}</bdi></strong> <${State}
		value=${activity.status} /></p>${codes.length > 0 && html`<p>${
		codes.map(([name, type], i) => html`${i > 0 && ' · '}<span class="muted">${
			t(`ctt.${name}`)}:</span> <bdi>${labelOf(values, type,
			activity[name])}</bdi>`)}</p>`}`;
}

function Timeline({ ticket }) {
	const { data: values } = useLoad(lov, []);
	const { ctt, activity, notes } = ticket;
	const entries = [
		activity && { at: activity.createdAt, who: activity.createdBy,
			order: 1, what: html`<${ActivityEntry} activity=${activity}
				values=${values} />` },
		...notes.map((note) => ({ at: note.createdAt, who: note.author, order: 2,
			what: html`<p class="note"><bdi>${note.text}</bdi></p>` })),
		{ at: ctt.createdAt, order: 0, what: html`<p>${t('ctt.created')}</p>` },
	].filter(Boolean).sort((a, b) => b.at.localeCompare(a.at)
		|| b.order - a.order);

	return html`<${Section} title=${t('ctt.timeline')}>
		<ol class="timeline">${entries.map(({ at, who, what }) => html`<li>
			<div class="when"><${Time} at=${at} />${who
				&& html` <bdi>${who}</bdi>`}</div>${what}</li>`)}</ol>
		<p class="hint">${t('ctt.timelineHint')}</p></${Section}>`;
}

const CPE = ['manufacturer', 'model', 'ipAddress', 'bandwidthMbps', 'port'];

function Element({ element, reason, change }) {
	return html`<article class="panel element">
		<header><h3><${Id} text=${element.name} /> <span class="muted"><bdi>${
			element.accessType}</bdi></span></h3><${Button} reason=${reason}
			onClick=${() => change(element)}>${t('cpe.change')}</${Button}></header>
		<${Facts} items=${[...CPE.map((name) => [t(`cpe.${name}`),
			element[name] !== null && html`<${Id} text=${element[name]}
				what=${t(`cpe.${name}`)} />`]),
			[t('cpe.updatedAt'), html`<${Time} at=${element.updatedAt} />`]]} />
		${reason && html`<p class="hint">${reason}</p>`}
	</article>`;
}

function Equipment({ ticket, change, outcome, close }) {
	const may = usePermission('cpe');
	const { ctt, networkElements: elements } = ticket;
	const reason = (element) => notEditable(ctt, element)
		|| (may.may ? ticket.operation ? t('ctt.underWay') : ''
			: may.why || t('ctt.askingMay'));

	if (!elements.length) {
		return html`<${Section} title=${t('ctt.equipment')}><${Empty}
			what=${t('ctt.noEquipment')} why=${t('ctt.noEquipmentWhy')}
			/></${Section}>`;
	}
	return html`<${Section} title=${t('ctt.equipment')}>
		<${Outcome} outcome=${outcome} onClose=${close} />
		${elements.map((element) => html`<${Element} key=${element.id}
			element=${element} reason=${reason(element)} change=${change} />`)}
	</${Section}>`;
}

function differences({ before, after }) {
	return CPE.filter((name) => before[name] !== after[name]).map((name) =>
		html`<div>${t(`cpe.${name}`)}: <bdi>${before[name] ?? '–'}</bdi> → <bdi>${
			after[name] ?? '–'}</bdi></div>`);
}

// A list of the ticket's, read page by page.
function Listed({ title, path, query, turn, columns, none, why }) {
	const pages = usePages(path, query);

	useEffect(() => { if (turn) pages.reload(); }, [turn]);
	return html`<${Section} title=${title}>${
		pages.items.length ? html`<${Table} caption=${title} rows=${pages.items}
			rowKey=${(row) => row.id ?? row.operationId} columns=${columns} />
			${pages.next !== null && html`<${Pages} pages=${pages} />`}`
		: pages.problem ? html`<${Problem} problem=${pages.problem}
			onRetry=${pages.reload} />`
		: pages.loading ? html`<${Loading} />`
		: html`<${Empty} what=${none} why=${why} />`}</${Section}>`;
}

const traceOf = (row) => html`<span class="id"><a href=${href(
	`/operation/${row.operationId}`)}>${t('ctt.trace')}</a><${Copy}
	text=${row.operationId} what=${t('ctt.operationId')} /></span>`;

function CpeHistory({ ctt, turn }) {
	return html`<${Listed} title=${t('ctt.cpeHistory')} turn=${turn}
		path=${`/ticket/ctt/${ctt.id}/cpe-history`} query=${{ limit: 10 }}
		none=${t('ctt.noHistory')} why=${t('ctt.noHistoryWhy')} columns=${[
			{ title: t('ctt.when'), cell: (h) => html`<${Time}
				at=${h.createdAt} />` },
			{ title: t('ctt.who'), cell: (h) => html`<bdi>${h.actor}</bdi>` },
			{ title: t('cpe.element'), cell: (h) => html`<bdi>${
				h.networkElement ?? t('cpe.gone')}</bdi>` },
			{ title: t('cpe.changed'), wide: true, cell: differences },
			{ title: t('ctt.operation'), cell: traceOf },
		]} />`;
}

function Operations({ ctt, turn }) {
	return html`<${Listed} title=${t('ctt.operations')} turn=${turn}
		path="/ticket/operation" query=${{ cttId: ctt.id, limit: 10 }}
		none=${t('ctt.noOperations')} why=${t('ctt.noOperationsWhy')} columns=${[
			{ title: t('ctt.when'), cell: (o) => html`<${Time}
				at=${o.createdAt} />` },
			{ title: t('ctt.kind'), cell: (o) => word('kind', o.kind) },
			{ title: t('ctt.state'), cell: (o) => html`<${State}
				value=${o.state} />` },
			{ title: t('ctt.ntt'), cell: (o) => o.ntt && html`<${Id}
				text=${o.ntt.ticketNo} to=${`/ntt/${o.ntt.id}`} />` },
			{ title: t('ctt.partner'), cell: (o) => o.partner
				&& word('partner', o.partner) },
			{ title: t('ctt.error'), cell: (o) => o.errorCode
				&& html`<code>${o.errorCode}</code>` },
			{ title: t('ctt.operation'), cell: traceOf },
		]} />`;
}

// A value of an audit row's detail; of equipment, what differs.
function auditValue(value) {
	if (value === null || typeof value !== 'object') return String(value);
	if (!value.before || !value.after) return JSON.stringify(value);
	return html`${value.networkElement} ${differences(value)}`;
}

// What an audit row has beside its columns.
function detailOf({ detail }) {
	return Object.entries(detail ?? {}).filter(([name, value]) =>
		name !== 'cttTicketNo' && value !== null).map(([name, value], i) =>
		html`${i > 0 && ' · '}<span class="muted">${name}:</span> <bdi>${
			auditValue(value)}</bdi>`);
}

function Audit({ ctt, turn }) {
	return html`<${Listed} title=${t('ctt.audit')} turn=${turn}
		path="/ticket/audit" query=${{ cttId: ctt.id, limit: 10 }}
		none=${t('ctt.noAudit')} why=${t('ctt.noAuditWhy')} columns=${[
			{ title: t('ctt.when'), cell: (a) => html`<${Time}
				at=${a.createdAt} />` },
			{ title: t('ctt.who'), cell: (a) => html`<bdi>${a.actor}</bdi>` },
			{ title: t('ctt.kind'), cell: (a) => word('kind', a.action) },
			{ title: t('ctt.outcome'), cell: (a) => html`<${State}
				value=${a.outcome} />` },
			{ title: t('ctt.detail'), wide: true, cell: detailOf },
			{ title: t('ctt.operation'), cell: traceOf },
		]} />`;
}

// ---- the page ----

// The ticket, by its id; also by its number, as people write addresses.
async function read(id, signal) {
	if (/^\d+$/.test(id)) return api.get(`/ticket/ctt/${id}`, { signal });
	const { items: [found] } = await api.get('/ticket/ctt',
		{ query: { ticketNo: id }, signal });

	if (found) return api.get(`/ticket/ctt/${found.id}`, { signal });
	throw new ApiProblem({ status: 404, code: 'CTT_NOT_FOUND',
		title: t('ctt.notFound'), detail: t('ctt.notFoundNumber', id) });
}

// problem: why the ticket could not be read again.
function Ticket({ ticket, setTicket, reload, problem }) {
	const [open, setOpen] = useState(null);       // an action's name, or an element
	const [outcomes, setOutcomes] = useState({}); // where it was started: outcome
	const [turn, setTurn] = useState(0);
	const { ctt } = ticket;
	const place = typeof open === 'string' ? 'actions' : 'equipment';
	const tell = (outcome, at = place) =>
		setOutcomes((was) => ({ ...was, [at]: outcome }));
	const refresh = () => {
		setTurn((n) => n + 1);
		reload();
	};
	const dialog = {
		ctt, activity: ticket.activity,
		onClose: () => setOpen(null),
		onProblem(problem) {
			tell({ problem });
			if (problem.code !== 'SIGNED_OUT') refresh();
		},
	};
	const done = (name) => (answer) => {
		setTicket(afterwards(name, ticket, answer));
		tell(name === 'cpe' ? { text: t('cpe.did', open.name),
			at: new Date().toISOString(), operationId: answer.data.operationId }
			: outcomeOf(name, ticket, answer));
		setOpen(null);
		refresh();
	};
	const Act = DIALOGS[open];

	useEffect(() => {
		if (!ticket.operation) return undefined;
		const timer = setTimeout(refresh, AGAIN_MS);
		return () => clearTimeout(timer);
	}, [ticket]);
	return html`<header class="page-head">
			<p class="kicker">${t('ctt.title')}</p>
			<h1><${Id} text=${ctt.ticketNo} /> <${State} value=${ctt.status} /></h1>
			<p class="subtitle"><bdi>${ctt.title || t('ctt.untitled')}</bdi></p>
		</header>
		${ticket.operation && html`<${Open} operation=${ticket.operation} />`}
		<${Actions} ticket=${ticket} outcome=${outcomes.actions}
			close=${() => tell(null, 'actions')} act=${(name) => {
				tell(null, 'actions');
				setOpen(name);
			}} />
		${problem && html`<${Problem} problem=${problem} onRetry=${reload}><p>${
			t('ctt.stale')}</p></${Problem}>`}
		<${What} ctt=${ctt} />
		<div class="columns"><${Timeline} ticket=${ticket} />
			<div><${Equipment} ticket=${ticket} outcome=${outcomes.equipment}
				close=${() => tell(null, 'equipment')} change=${(element) => {
					tell(null, 'equipment');
					setOpen(element);
				}} />
			<${CpeHistory} ctt=${ctt} turn=${turn} />
			<${Operations} ctt=${ctt} turn=${turn} />
			<${Audit} ctt=${ctt} turn=${turn} /></div></div>
		${Act && html`<${Act} ...${dialog} onDone=${done(open)} />`}
		${open && !Act && html`<${CpeDialog} ...${dialog} element=${open}
			onDone=${done('cpe')} />`}`;
}

export default function Page({ params, go }) {
	const { data, problem, loading, reload, setData } = useLoad(
		(signal) => read(params.id, signal), [params.id]);

	useTitle(data?.ctt.ticketNo ?? t('ctt.title'));
	useEffect(() => {
		if (data && params.id !== String(data.ctt.id)) {
			go(`/ctt/${data.ctt.id}`, { replace: true });
		}
	}, [data]);
	if (!data) {
		return html`<h1>${t('ctt.title')} <bdi>${params.id}</bdi></h1>${
			problem ? html`<${Problem} problem=${asProblem(problem)}
				onRetry=${reload} />` : loading && html`<${Loading} />`}`;
	}
	return html`<${Ticket} ticket=${data} setTicket=${setData} reload=${reload}
		problem=${problem} />`;
}
