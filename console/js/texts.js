// All texts that a person reads, a section for each page. Another language is
// another file like this one. What takes values is a function.

const frame = {
	title: 'cttd console',
	brand: 'cttd',
	skip: 'Skip to the page',
	navigation: 'Pages',
	home: 'Tickets',
	health: 'Health',
	signedInAs: 'Signed in as',
	signOut: 'Sign out',
	go: 'Go',
	searchLabel: 'Ticket number, id, request id or operation id',
	searchHint: 'Ticket number or any id',
	loading: 'Loading',
	noPage: 'There is no such page',
	noPageWhy: (path) => `The console has nothing at ${path}.`,
	toSearch: 'To the lists of tickets',
	faultTitle: 'The page has a fault',
	again: 'Try again',
};

const signin = {
	title: 'Sign in',
	lead: 'The console shows customer and network trouble tickets, and what was done to them.',
	with: (host) => `Sign in with ${host}`,
	paste: 'Paste a token',
	pasteLabel: 'Token',
	pasteHint: 'The administrator lets tokens be pasted here. It stays in this page’s memory, and is gone when the page is closed.',
	pasteGo: 'Use this token',
	noWay: 'There is no way to sign in',
	noWayDo: 'The administrator names an issuer, or allows pasted tokens, in console.json.',
	noConfig: 'The console’s settings cannot be read',
	noConfigDo: (path, why) => `${path}: ${why} The administrator writes this file.`,
	configStatus: (status) => `the server answered ${status}.`,
	configAway: 'the server gave no answer.',
	configBad: 'it is not JSON.',
	endedTitle: 'Your sign-in has ended',
	ended: 'Nothing that you typed is lost. Sign in again, and what you began goes on.',
	endedWhy: (why) => `The server says: ${why}`,
	later: 'Not now',
	discovery: 'its settings',
	tokens: 'the tokens',
	frame: 'Sign-in is renewed',
	nameless: 'somebody',
	noAnswer: (what, host) => `${host} gave no answer when it was asked for ${what}. Check the network, and that nginx lets the console connect to ${host}.`,
	badAnswer: (host, status, why) => `${host} answered ${status}${why ? `: ${why}` : ''}.`,
	otherIssuer: (issuer) => `The provider calls itself ${issuer}, which is not the issuer in console.json.`,
	otherState: 'The answer of the provider does not belong to this sign-in. Sign in again.',
	otherNonce: 'The token of the provider does not belong to this sign-in. Sign in again.',
	notAsked: 'This sign-in was not begun in this window. Sign in again.',
	noToken: 'The provider gave no access token.',
	refused: (error, why) => `The provider refused: ${why || error} (${error}).`,
	silentTimeout: 'The provider did not answer in time.',
	blocked: 'The browser blocked the window of the provider. Allow it, and try again.',
	closed: 'The window of the provider was closed before you were signed in.',
};

const ui = {
	copy: (what) => `Copy ${what}`,
	copied: 'Copied',
	notCopied: 'The browser did not let it be copied',
	close: 'Close',
	cancel: 'Cancel',
	more: 'Show more',
	none: 'none',
	requestId: 'request id',
	code: 'code',
	trace: 'Show what the operation did',
	lookUp: 'Look up what became of it',
	retryAfter: (s) => `Try again in ${s} s.`,
	tryAgain: 'Try again',
	what: 'What to do',
	all: (n) => `${n} in all`,
	some: (n) => `${n} so far`,
};

// A state: [word, shape]. Shapes: good, bad, open, none, warn, info.
const state = {
	RUNNING: ['Running', 'open'],
	SETTLING: ['Settling', 'open'],
	SUCCEEDED: ['Succeeded', 'good'],
	REFUSED: ['Refused', 'bad'],
	ROLLED_BACK: ['Rolled back', 'bad'],
	COMPENSATED: ['Undone', 'warn'],
	SUCCESS: ['Success', 'good'],
	READY: ['Ready', 'open'],
	DONE: ['Done', 'good'],
	DEAD: ['Dead', 'bad'],
	ok: ['ok', 'good'],
	failed: ['failed', 'bad'],
	skipped: ['skipped', 'none'],
	unknown: ['unknown', 'warn'],
	assumed: ['assumed', 'warn'],
	linked: ['linked', 'good'],
	unlinked: ['unlinked', 'good'],
	moved: ['moved', 'good'],
	resolved: ['resolved', 'good'],
	pending: ['under way', 'open'],
	none: ['not linked', 'none'],
	'already-on-target': ['there already', 'none'],
	Open: ['Open', 'info'],
	'In Progress': ['In Progress', 'open'],
	Pending: ['Pending', 'open'],
	Resolved: ['Resolved', 'good'],
	Closed: ['Closed', 'none'],
	Cancel: ['Cancel', 'none'],
};

const partner = { TAAS: 'TaaS', TMF: 'TMF', NIG: 'NIG', QUEUE: 'the job queue' };

const kind = {
	LINK: 'Link', UNLINK: 'Unlink', RESOLVE: 'Resolve', CPE_UPDATE: 'Equipment',
};

const problem = {
	unreachable: 'No answer',
	unreachableRead: 'The server gave no answer. The network may be away, or the server.',
	unreachableChange: 'The server gave no answer. Whether the change was done is not known.',
	notJson: 'Not an answer of cttd',
	notJsonDetail: (status) => `Something between the browser and cttd answered ${status}.`,
	signedOut: 'Not signed in',
	signedOutDetail: 'The sign-in has ended, and nothing was sent.',
	fault: 'A fault of the console',
};

// What to do about a problem, by its code.
const remedy = {
	NOT_FOUND: 'Check the address or the id.',
	METHOD_NOT_ALLOWED: 'The console and the server are of different versions. Reload the page.',
	UNAUTHENTICATED: 'Sign in again.',
	FORBIDDEN: 'Ask the administrator for the role that is named.',
	PAYLOAD_TOO_LARGE: 'Send fewer tickets at once.',
	UNSUPPORTED_MEDIA_TYPE: 'The console and the server are of different versions. Reload the page.',
	MALFORMED_JSON: 'The console and the server are of different versions. Reload the page.',
	VALIDATION_FAILED: 'Correct the fields that are named.',
	IDEMPOTENCY_KEY_REUSED: 'Close the dialog and begin anew.',
	IDEMPOTENCY_IN_PROGRESS: 'The first request is still under way. Wait, then try again: nothing is done twice.',
	DEADLINE_PASSED: 'Nothing was begun. Try again; if it lasts, tell the administrator that the pool is too small or a partner is slow.',
	CTT_NOT_FOUND: 'Check the number of the customer ticket.',
	NTT_NOT_FOUND: 'Check the number of the network ticket.',
	OPERATION_NOT_FOUND: 'Check the operation id. An operation that was refused while the database was away has no record.',
	OPERATION_IN_PROGRESS: 'Another operation of this ticket is not settled. Wait, then try again.',
	CTT_ALREADY_LINKED: 'Move it to the other network ticket, or unlink it first.',
	UNLINK_BLOCKED: 'The two were unlinked a moment ago. Wait until the block has ended, then try again.',
	PARTNER_BUSY: 'The partner is slow, and nothing was begun. Try again.',
	NOT_ATTEMPTED: 'Nothing is wrong with this ticket. Take out those that were refused, and try again.',
	CTT_NOT_LINKED_TO_NTT: 'Somebody has changed the link meanwhile. Reload the ticket.',
	CTT_ACTIVITY_NOT_FOUND: 'Somebody was faster. Reload the ticket.',
	CTT_STATUS_TERMINAL: 'The customer ticket is closed or cancelled; nothing can be done here.',
	NTT_STATUS_TERMINAL: 'The network ticket is closed or cancelled. Choose another one.',
	CTT_ALREADY_RESOLVED: 'It is resolved. To correct its codes, open the ticket and resolve it again.',
	DUPLICATE_ITEM: 'The ticket stands twice in the list. Nothing has to be done.',
	ONLY_RESOLVED_ALLOWED: 'Only Resolved can be set here.',
	RESOLUTION_CODE_INVALID: 'Choose the codes that are named.',
	NETWORK_ELEMENT_NOT_FOUND: 'Reload the ticket: it has no such equipment.',
	CPE_NOT_ELIGIBLE: 'Only FTTH equipment of Managed Services can be changed here.',
	CPE_STALE: 'Look at both values, and choose which to keep.',
	EXTERNAL_UNLINK_FAILED: 'If the partner refused, ask it why. If its answer was lost, wait until the operation is settled.',
	EXTERNAL_SYNC_FAILED: 'If the partner refused, ask it why. If its answer was lost, wait until the operation is settled.',
	BULK_ALL_FAILED: 'Look at the reason of each ticket.',
	DB_SAVE_FAILED: 'Tell the administrator, with the request id: the log says why the database refused.',
	DB_UNAVAILABLE: 'Nothing was changed. Try again in a moment.',
	NO_ANSWER: 'Look up what became of it, by the request id, before you try again.',
	NOT_READY: 'The server is starting, or a part of it is away. Try again in a moment.',
	INTERNAL_ERROR: 'Tell the administrator, with the request id: the log says more.',
	BAD_REQUEST: 'Reload the page.',
	LENGTH_REQUIRED: 'Something between the browser and the server changed the request. Tell the administrator.',
	URI_TOO_LONG: 'Use fewer filters.',
	RATE_LIMITED: 'Too many requests came from this address. Wait a moment, then try again.',
	HEADER_TOO_LARGE: 'The token is too long. Sign in again; if it lasts, tell the administrator.',
	NOT_IMPLEMENTED: 'Something between the browser and the server changed the request. Tell the administrator.',
	OVERLOADED: 'Nothing was begun. Try again in a moment.',
	HTTP_VERSION_NOT_SUPPORTED: 'Something between the browser and the server changed the request. Tell the administrator.',
	// The console's own.
	UNREACHABLE: 'Try again. What you typed is still here.',
	UNREACHABLE_CHANGE: 'Try again: what was done already is not done twice. Or look up what became of it.',
	NOT_JSON: 'Try again. If it lasts, tell the administrator of the network, with the request id.',
	SIGNED_OUT: 'Try again, and sign in when you are asked.',
	CONSOLE_FAULT: 'Reload the page. If it comes again, report it with this text.',
	OTHER: 'Tell the administrator, with the code and the request id.',
};

// Dialogs that change something.
const act = {
	checking: 'Checking what will happen …',
	refused: 'See above why it cannot be done',
	required: '(required)',
	remark: 'Remark',
	remarkHint: 'Goes into the audit, and to the partner.',
};

const search = {
	title: 'Tickets',
	lists: 'Lists',
	list_ctt: 'Customer tickets',
	list_ntt: 'Network tickets',
	q: 'Number begins with',
	linked_ctt: 'Linked',
	linked_ntt: 'Has customer tickets',
	any: 'All',
	yes: 'Yes',
	no: 'No',
	since: 'Changed since',
	status: 'Status',
	clear: 'Clear the filters',
	number: 'Number',
	id: 'Id',
	partner: 'Partner',
	link: 'Link',
	ntt: 'Network ticket',
	cttCount: 'Customer tickets',
	titleOf: 'Title',
	noMatch: 'No ticket is like that',
	noMatchWhy: 'The filters leave none.',
	none_ctt: 'There are no customer tickets',
	none_ntt: 'There are no network tickets',
	noneWhy: 'They are put into the database by other systems.',
	hits: 'What was found',
	is: 'What',
	name: 'Number or id',
	ctt: 'Customer ticket',
	operation: 'Operation',
	request: 'Request',
	close: 'Close the search',
	looking: (text) => `Looking for ${text}`,
	many: (text) => `Several things are called ${text}.`,
	begins: (text) => `Nothing is called ${text}, but these begin so.`,
	nothing: (text) => `Nothing is called ${text}`,
	nothingWhy: 'It is no ticket’s number or id, no request’s and no operation’s. A request whose operations were all refused by a check may have been removed after 30 days.',
};

const ctt = {
	title: 'Customer ticket',
	untitled: 'It has no title',
	stale: 'What stands below may be old.',
	notFound: 'No such customer ticket',
	notFoundNumber: (number) => `No customer ticket has the number ${number}.`,
	// What can be done, and why not.
	link: 'Link …',
	move: 'Move …',
	unlink: 'Unlink …',
	resolve: 'Resolve …',
	correct: 'Correct the codes …',
	askingMay: 'The server is being asked what you may do.',
	underWay: 'Another operation of this ticket is under way.',
	isTerminal: (status) => `The ticket is ${status}.`,
	noActivity: 'The ticket has no activity.',
	isLinked: (ntt) => `It is linked to ${ntt}.`,
	notLinked: 'It is linked to no network ticket.',
	open: (kind, actor) => `${kind} by ${actor} is under way.`,
	openNext: (at) => `It is tried again at ${at}.`,
	// The dialogs.
	linkTitle: (ctt) => `Link ${ctt}`,
	linkGo: 'Link it',
	moveTitle: (ctt) => `Move ${ctt}`,
	moveGo: 'Move it',
	unlinkTitle: (ctt) => `Unlink ${ctt}`,
	unlinkGo: 'Unlink it',
	forceGo: 'Unlink it by force',
	resolveTitle: (ctt) => `Resolve ${ctt}`,
	resolveGo: 'Resolve it',
	correctTitle: (ctt) => `Correct the codes of ${ctt}`,
	correctGo: 'Set these codes',
	nttHint: 'Its number; those that begin so are offered.',
	nttOffered: (title, status, count) => `${title || 'no title'} · ${status} · ${count} customer tickets`,
	chooseNtt: 'Choose a network ticket to see what will happen.',
	chooseCodes: (names) => `Choose to see what will happen: ${names.join(', ')}.`,
	force: (partner) => `Unlink it here even if ${partner} does not have the ticket any more`,
	forceHint: 'Where the partner refuses with 404, 409, 410 or 422. The audit says that it was forced.',
	causeCode: 'Cause',
	disposition: 'Disposition',
	resolutionCode: 'Resolution',
	delayReason: 'Reason of the delay',
	noCode: '–',
	willLink: (ctt, ntt, partner) => `${ctt} will be linked to ${ntt} here and at ${partner}. If ${partner} refuses, nothing is changed.`,
	willLinkAfter: (ntt, count) => `${ntt} will then have ${count === 1 ? '1 customer ticket' : `${count} customer tickets`}. Its work orders and the customer are told by follow-up jobs.`,
	willMove: (ctt, from, to, partner) => `${ctt} will be unlinked from ${from} and linked to ${to}, here and at ${partner}.`,
	willMoveBack: (from, partner) => `If ${partner} refuses the new link, it is linked back to ${from}.`,
	willNotMove: (ctt, ntt) => `${ctt} is linked to ${ntt} already. Nothing will be done.`,
	willUnlink: (ctt, ntt, partner) => `${ctt} will be unlinked from ${ntt} here and at ${partner}. If ${partner} refuses, the link stays.`,
	willForce: (partner) => `But if ${partner} says that it does not have the ticket, it is unlinked here all the same.`,
	willUnlinkAfter: (ntt, count) => `${ntt} will then have ${count === 1 ? '1 customer ticket' : `${count} customer tickets`}. The two cannot be linked again for a short while.`,
	willResolve: (ctt, status, partner, type) => `${ctt} will be ${status} here${partner ? ` and at ${partner}` : '; no partner hears of it'}, by a new activity of type ${type}.`,
	willNote: (partner) => `The remark becomes a note${partner ? `, and goes to ${partner} too` : ''}.`,
	willResolveAfter: (partner) => (partner ? 'A resolve cannot be taken back. The customer is told by a follow-up job.' : 'A resolve cannot be taken back.'),
	did_link: (ctt, ntt, partner) => `${ctt} was linked to ${ntt}, here and at ${partner}.`,
	did_move: (ctt, ntt, partner) => `${ctt} was moved to ${ntt}, here and at ${partner}.`,
	did_unlink: (ctt, ntt, partner) => `${ctt} was unlinked from ${ntt}, here and at ${partner}.`,
	did_resolve: (ctt, ntt, partner) => `${ctt} was resolved here${partner ? ` and at ${partner}` : ''}.`,
	didNothing: (ntt) => `It was linked to ${ntt} already; nothing was done.`,
	didPending: (partner) => `${partner} gave no clear answer. The resolve goes on until it does; this page shows when it is settled.`,
	// What it is.
	ntt: 'Network ticket',
	partner: 'Partner',
	segmentGroup: 'Segment group',
	externalSync: 'Sync of the status',
	synced: 'with the partner',
	notSynced: 'none: no partner hears of a resolve',
	id: 'Id',
	createdAt: 'Created',
	updatedAt: 'Changed',
	resolvedAt: 'Resolved',
	timeline: 'Activity and notes',
	timelineHint: 'The latest activity, and the newest 50 notes.',
	created: 'The ticket was created.',
	equipment: 'Equipment',
	noEquipment: 'No equipment is known',
	noEquipmentWhy: 'The ticket has no network element, so that nothing can be changed.',
	cpeHistory: 'History of the equipment',
	noHistory: 'Nobody has changed the equipment',
	noHistoryWhy: 'Each change made here will stand in this list, with the values before and after.',
	operations: 'Operations',
	noOperations: 'There was no operation',
	noOperationsWhy: 'A link, an unlink, a resolve or a change of equipment makes one.',
	audit: 'Audit',
	noAudit: 'The audit trail is empty',
	noAuditWhy: 'What was done, or taken back, will stand here.',
	when: 'When',
	who: 'Who',
	kind: 'What',
	state: 'State',
	outcome: 'Outcome',
	error: 'Problem',
	detail: 'Detail',
	operation: 'Operation',
	operationId: 'operation id',
};

const cpe = {
	dialog: (element, ctt) => `Change ${element} of ${ctt}`,
	change: 'Change …',
	go: 'Send to NIG and save',
	element: 'Element',
	accessType: 'Access',
	manufacturer: 'Manufacturer',
	model: 'Model',
	ipAddress: 'IP address',
	bandwidthMbps: 'Bandwidth (Mbit/s)',
	port: 'Port',
	updatedAt: 'Changed',
	changed: 'Changes',
	gone: 'not there any more',
	what: 'What',
	current: 'Current',
	new: 'New',
	isChanged: 'changed',
	otherSegment: (segment) => `Equipment can be changed for Managed Services only; the segment group of this ticket is ${segment || 'not known'}.`,
	otherAccess: (element, access) => `Equipment can be changed on FTTH only; the access of ${element} is ${access || 'not known'}.`,
	changeFirst: 'Change a value to see what will happen. Only what differs is sent.',
	chooseFirst: 'Choose which value is to stay.',
	stale: 'Somebody has changed the equipment since you opened it. Nothing was sent. The current values are shown; choose where both were changed.',
	meanwhile: (was, now) => `Was ${was}, is now ${now}.`,
	choose: (name) => `Which value of ${name} is to stay?`,
	takeStored: 'Keep',
	takeMine: 'Set',
	will: (ctt, title, element) => `For the customer of ${ctt}${title ? ` (${title})` : ''}, the element ${element} will be changed:`,
	willNig: 'NIG is asked first. If NIG refuses, nothing is changed here either.',
	did: (element) => `${element} was changed, here and at NIG.`,
};

const ntt = {
	title: 'Network ticket',
};

const mass = {
	title: 'Many tickets',
};

const operation = {
	title: 'Operation',
	requestTitle: 'Request',
};

const health = {
	title: 'Health',
};

const texts = { frame, signin, ui, state, partner, kind, problem, remedy,
	act, search, ctt, cpe, ntt, mass, operation, health };

// t('ui.copy', 'the id'): a text, with the values that go into it.
export function t(key, ...values) {
	const [section, name] = key.split('.');
	const text = texts[section]?.[name];

	if (text === undefined) throw new Error(`no text ${key}`);
	return typeof text === 'function' ? text(...values) : text;
}

// As t, for words that come from outside: unknown ones stand as they are.
export function word(section, name) {
	return Object.hasOwn(texts[section], name) ? texts[section][name] : name;
}

export function remedyOf(problem) {
	if (problem.code === 'UNREACHABLE' && problem.changing) {
		return remedy.UNREACHABLE_CHANGE;
	}
	return Object.hasOwn(remedy, problem.code)
		? remedy[problem.code] : remedy.OTHER;
}
