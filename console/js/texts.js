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
	handedOver: 'This window can be closed.',
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
	ready: ['ready', 'open'],
	wait: ['to be sent', 'none'],
	done: ['done', 'good'],
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
	good: ['Good', 'good'],
	bad: ['Bad', 'bad'],
	warn: ['Look', 'warn'],
	Open: ['Open', 'info'],
	'In Progress': ['In Progress', 'open'],
	Pending: ['Pending', 'open'],
	Resolved: ['Resolved', 'good'],
	Closed: ['Closed', 'none'],
	Cancel: ['Cancel', 'none'],
};

const partner = {
	TAAS: 'TaaS',
	TMF: 'TMF',
	NIG: 'NIG',
	QUEUE: 'the job queue',
};

const kind = {
	LINK: 'Link',
	UNLINK: 'Unlink',
	RESOLVE: 'Resolve',
	CPE_UPDATE: 'Equipment',
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
	elsewhere: 'Under way elsewhere',
	elsewhereDetail: 'Another window of this browser goes on with this run.',
	otherActor: 'Begun by somebody else',
	otherActorDetail: (actor) => `This run was begun by ${actor}, and its keys count only for that one.`,
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
	RUN_ELSEWHERE: 'Look into the other windows of this browser, or wait until that one has ended.',
	OTHER_ACTOR: 'Sign in as the one who began it, or begin a run of your own: what was done already needs nothing then.',
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
	clearShort: 'Clear',
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
	linkedTo: 'Linked to',
	trace: 'Trace',
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
	facts: 'Facts',
	number: 'Number',
	id: 'Id',
	status: 'Status',
	count: 'Customer tickets linked',
	created: 'Created',
	updated: 'Changed',
	untitled: 'It has no title',
	ctts: 'Linked customer tickets',
	noCtts: 'No customer ticket is linked',
	noCttsWhy: 'Link some with the list above: paste their numbers.',
	ctt: 'Number',
	partner: 'Partner',
	link: 'Link',
	orders: 'Work orders',
	order: 'Number',
	noOrders: 'There are no work orders',
	noOrdersWhy: 'Other systems add them. Each is told when a ticket is linked.',
	audit: 'Last changes',
	noAudit: 'Nothing was changed yet',
	at: 'When',
	what: 'What',
	who: 'Who',
	outcome: 'Outcome',
	trace: 'Trace',
	plot: 'Linked customer tickets over time',
	plotNow: (count, from) => `${count} now; drawn since ${from}.`,
	plotEmpty: 'Nothing is to be drawn yet',
	plotEmptyWhy: 'The plot is drawn from the audit: the first link is its first point.',
	plotEarlier: 'Draw earlier changes too',
	plotTable: 'The same as a table',
	plotAt: 'Until',
	plotCount: 'Linked',
	plotChange: 'Change',
};

const mass = {
	title: 'Many tickets at once',
	action: 'What is to be done',
	link: (ntt) => `Link to ${ntt}`,
	unlink: (ntt) => `Unlink from ${ntt}`,
	move: () => 'Move to a network ticket',
	resolve: () => 'Resolve',
	list: 'Which customer tickets',
	listHint: (limit) => `One number a line, a spreadsheet’s column, or CSV. Paste it, or drop a file here. Up to ${limit} tickets.`,
	listPlaceholder: 'CTT-0000001\nCTT-0000002',
	file: 'Choose a file',
	linked: (n) => `Take the ${n} that are linked here`,
	taken: (ntt) => `Linked to ${ntt}`,
	pasted: 'Pasted list',
	remove: 'Remove',
	column: 'Column with the numbers',
	columnName: (n, title, sample) => `${title ?? `Column ${n}`} (${sample})`,
	counted: (n) => (n === '1' ? '1 ticket' : `${n} tickets`),
	twice: (n) => `${n} named twice`,
	wrong: (n) => `${n} cannot be a number of a ticket`,
	headed: 'the first row is a header',
	lineTwice: (at, name, first) => `Line ${at}: ${name}, as in line ${first}`,
	lineWrong: (at, name, why) => `Line ${at}: ${name}: ${why}`,
	TOO_LONG: 'longer than 64 characters',
	CONTROL: 'has control characters',
	andMore: (n) => `and ${n} more`,
	look: 'Show which',
	TOO_MANY: ({ count, limit }) => `These are ${count} tickets, and a run takes ${limit}. Divide the list.`,
	NOT_TEXT: 'This file is no text. Save the spreadsheet as CSV, or copy its column and paste it here.',
	UNREADABLE: 'The browser could not read this file. Save it again, or copy its content and paste it here.',
	target: 'Target network ticket',
	noTarget: (no) => `There is no network ticket ${no}.`,
	causeCode: 'Cause code',
	disposition: 'Disposition',
	resolutionCode: 'Resolution code',
	delayReason: 'Delay reason',
	none: 'none',
	choose: 'Choose',
	needList: 'Paste the numbers first',
	needTarget: 'Name the target first',
	needCodes: (names) => `Choose first: ${names}`,
	check: 'Dry run: see what would happen',
	checkHint: 'Nothing is changed by it.',
	checking: (done, all) => `Dry run: ${done} of ${all} checked`,
	stopCheck: 'Stop the dry run',
	back: 'Back to the list',
	says_link: (n, ntt) => `${n} will be linked to ${ntt}.`,
	says_unlink: (n, ntt) => `${n} will be unlinked from ${ntt}.`,
	says_move: (n, ntt) => `${n} will be moved to ${ntt}: unlinked from where they are, then linked.`,
	says_resolve: (n) => `${n} will be resolved. A resolve cannot be taken back.`,
	saysPartners: (list) => `${list[0].toUpperCase()}${list.slice(1)}.`,
	partnerOf: (name, n) => `${name} is told of ${n}`,
	partnerTold: (name) => `${name} is told.`,
	partner_TAAS: 'TaaS',
	partner_TMF: 'TMF',
	partner_LOCAL: 'no partner',
	partner_UNKNOWN: 'the partner that owns it',
	saysRest: (skipped, failed) => [skipped && `${skipped} need nothing`,
		failed && `${failed} cannot be done`].filter(Boolean).join(', ')
		+ ': these are not sent.',
	saysNone: 'Nothing is left to do: see the reason of each line.',
	go_link: (n) => `Link ${n}`,
	go_unlink: (n) => `Unlink ${n}`,
	go_move: (n) => `Move ${n}`,
	go_resolve: (n) => `Resolve ${n}`,
	did_link: (n, ntt) => `Link ${n} to ${ntt}`,
	did_unlink: (n, ntt) => `Unlink ${n} from ${ntt}`,
	did_move: (n, ntt) => `Move ${n} to ${ntt}`,
	did_resolve: (n) => `Resolve ${n}`,
	begun: 'begun',
	progress: (done, all) => `${done} of ${all} sent and answered`,
	portion: (n, all) => `Portion ${n} of ${all} is under way.`,
	settling: (n) => `A partner has not answered for ${n} yet. Their operations are asked until they are settled.`,
	waiting: (why, at) => `${why} Tried again at ${at}, under the same key.`,
	noAnswer: 'The server gave no answer.',
	stillUnderWay: 'This portion was sent before, and is still under way.',
	stop: 'Stop after this portion',
	stopping: 'Stops when this portion is answered',
	paused: (n) => `Interrupted: ${n} to go. Nothing that was sent is sent twice.`,
	finished: (done, failed) => (failed ? `All lines are answered: ${done} done, ${failed} failed.`
		: `All lines are answered: ${done} done, none failed.`),
	unkept: 'This browser keeps nothing: if the page is closed, the list is lost.',
	goOn: 'Go on',
	again: (n) => `Try ${n} again`,
	noneFailed: 'No failed line is shown',
	copy: 'Copy the numbers',
	copied: (n) => `${n} copied`,
	notCopied: 'The browser did not let it be copied',
	save: 'Save as CSV',
	another: 'Another list',
	prefix: 'Request ids begin with',
	table: 'Lines',
	shown: 'Lines that are shown',
	reason: 'Reason',
	anyReason: 'Any',
	line: 'Line',
	ticket: 'Ticket',
	outcome: 'Outcome',
	why: 'Reason',
	operation: 'Operation',
	trace: 'Trace',
	request: 'Request',
	emptyFilter: 'No line is like that',
	kind_all: 'All',
	kind_ready: 'Will be done',
	kind_wait: 'To be sent',
	kind_done: 'Done',
	kind_skipped: 'Nothing to do',
	kind_failed: 'Failed',
	kind_unknown: 'Unknown',
	kind_refused: 'Cannot be done',
	nothing: 'nothing to do',
	cannot: 'cannot be done',
	will_linked: 'will be linked',
	will_unlinked: 'will be unlinked',
	will_moved: 'will be moved',
	will_resolved: 'will be resolved',
	SAME_TICKET: ({ at }) => `The same ticket as in line ${at}.`,
	ALREADY_ON_TARGET: () => 'It is linked there already.',
	NO_ANSWER: () => 'The partner has not answered yet.',
	NOT_SENT: () => 'It was not sent.',
	OTHER: ({ code }) => `${code}: the trace says more.`,
	kept: 'Runs of yours that are kept here',
	keptWhat: (done, failed, left) => `${done} done, ${failed} failed, ${left} to go.`,
	lookAt: 'Look at it',
	forget: 'Forget it',
	forgetHint: 'What was done stays done.',
	loading: 'The linked tickets are read',
};

// What the page of an operation says, by kind, state, step and answer.

const TITLES = {
	LINK: (ctt, ntt) => `Link ${named('CTT', ctt)} to ${named('NTT', ntt)}`,
	UNLINK: (ctt, ntt) => `Unlink ${named('CTT', ctt)} from ${named('NTT', ntt)}`,
	RESOLVE: (ctt) => `Resolve ${named('CTT', ctt)}`,
	CPE_UPDATE: (ctt) => `Update the equipment of ${named('CTT', ctt)}`,
};
const NOUNS = { LINK: 'link', UNLINK: 'unlink', RESOLVE: 'resolution',
	CPE_UPDATE: 'equipment update' };
const DONE = {
	LINK: (ctt, ntt) => `CTT ${ctt} is linked to NTT ${ntt}`,
	UNLINK: (ctt, ntt) => `CTT ${ctt} is unlinked from NTT ${ntt}`,
	RESOLVE: (ctt) => `CTT ${ctt} is resolved`,
	CPE_UPDATE: (ctt) => `The equipment of CTT ${ctt} is updated`,
};

// What became of an operation, in a sentence or two.
const VERDICTS = {
	SUCCEEDED: ({ kind, ctt, ntt, partner, local, decided }) => {
		const done = DONE[kind](ctt, ntt);

		if (decided === 'forced') {
			return `${done} here, by force. ${partner} refused it as something`
				+ ' that it does not have.';
		}
		if (decided === 'byHand') {
			return `${done}. An operator decided so; ${partner} did not say it.`;
		}
		return local ? `${done} here. No partner was to be told.`
			: `${done}, here and at ${partner}.`;
	},
	REFUSED: ({ why }) => (/nothing was changed/i.test(why ?? '') ? why
		: `${why ?? 'There was nothing to do.'} Nothing was changed, and no`
			+ ' partner was asked.'),
	ROLLED_BACK: ({ kind, partner, back, decided, refused }) => {
		const here = back ? `The ${NOUNS[kind]} was taken back here.`
			: 'Nothing was changed here.';

		if (decided === 'assumed') {
			return `${partner} did not say whether it had the ${NOUNS[kind]}. It`
				+ ` is assumed that it has not. ${here}`;
		}
		if (decided === 'byHand') {
			return `An operator decided that ${partner} does not have the`
				+ ` ${NOUNS[kind]}. ${here}`;
		}
		return refused ? `${partner} refused the ${NOUNS[kind]}. ${here}`
			: `${partner} does not have the ${NOUNS[kind]}. ${here}`;
	},
	COMPENSATED: ({ kind, partner, back, decided }) => {
		const here = back ? `The ${NOUNS[kind]} was taken back here`
			: 'Nothing was changed here';

		if (decided === 'assumed') {
			return `It was not known whether ${partner} took the ${NOUNS[kind]}.`
				+ ` ${here}. It is assumed that ${partner} has nothing of it.`;
		}
		if (decided === 'byHand') {
			return `It was not known whether ${partner} took the ${NOUNS[kind]}.`
				+ ` ${here}. An operator decided that ${partner} has nothing of`
				+ ' it.';
		}
		return `It was not known whether ${partner} took the ${NOUNS[kind]}.`
			+ ` ${here}, and it was undone at ${partner}.`;
	},
	RUNNING: ({ partner }) => 'It is under way, or its process died on the'
		+ ` way. Then it ends as ${partner || 'the partner'} says.`,
	SETTLING: ({ kind, partner, back }) => (back
		? `It is not known whether ${partner} took the ${NOUNS[kind]}. The`
			+ ' caller was told that it failed, and it was taken back here.'
			+ ` ${partner} is asked until that is known; a yes is undone there.`
		: `It is not known whether ${partner} took the ${NOUNS[kind]}.`
			+ ` ${partner} is asked until it says yes or no.`),
};

// What to do about it; empty: nothing.
const ADVICE = {
	SUCCEEDED: () => '',
	REFUSED: ({ partner, refused }) => (refused
		? `Try it again when ${partner || 'the partner'} answers. Health shows whether it does.`
		: ''),
	ROLLED_BACK: ({ ctt, partner, decided }) => (decided === 'assumed'
		? `An administrator can see whether both sides agree: cttctl reconcile --ticket ${ctt}`
		: `Ask ${partner} why. Its words are in the checklist. Then it can be tried again.`),
	COMPENSATED: ({ ctt, decided }) => (decided === 'assumed'
		? `An administrator can see whether both sides agree: cttctl reconcile --ticket ${ctt}`
		: 'Both sides are as they were. It can be tried again.'),
	RUNNING: () => 'Nothing. It settles by itself, and so this page shows it.',
	SETTLING: () => 'Nothing. It settles by itself. An administrator can have it tried at once, or decide by hand: cttctl operations.',
};

// The questions of support's checklist, and what each answers.
const QUESTIONS = {
	load_ctt: 'Did the target CTT exist?',
	load_ntt: 'Did the target NTT exist?',
	load_activity: 'Was the latest activity found?',
	load_network_elements: 'Had the CTT the network element?',
	check_idle: 'Was the CTT free of other operations?',
	check_not_linked: 'Was the CTT without a link?',
	check_linked: 'Was the pair linked?',
	check_unlink_block: 'Was the pair free of an unlink block?',
	check_not_terminal: 'Was the CTT open to updates?',
	check_status: 'Was the requested status Resolved?',
	check_codes: 'Were the codes given and allowed?',
	check_eligible: 'Was it Managed Services on FTTH?',
	check_current: 'Were the data those that were seen?',
	save_local: 'Did the DB write succeed?',
	clear_local: 'Did the DB write succeed?',
	sync_partner: (partner) => `Did the sync with ${partner || 'the partner'} succeed?`,
	rollback: 'Was rollback triggered?',
	save_activity: 'Was the resolved activity saved?',
	set_unlink_block: 'Was the pair blocked for a while?',
	follow_up: 'Was a follow-up activity written?',
	update_ctt_count: 'Was the NTT\'s cttCount updated?',
	enqueue_jobs: 'Were follow-up jobs written?',
	add_note: 'Was a note created?',
	write_history: 'Was the CPE history written?',
	write_audit: 'Were audit logs written?',
};
const SHORT = {
	load_ctt: 'CTT', load_ntt: 'NTT', load_activity: 'Activity',
	load_network_elements: 'Element', check_idle: 'Free',
	check_not_linked: 'No link', check_linked: 'Linked',
	check_unlink_block: 'No block', check_not_terminal: 'Open',
	check_status: 'Status', check_codes: 'Codes',
	check_eligible: 'Eligible', check_current: 'Current',
	save_local: 'Saved', clear_local: 'Cleared',
	sync_partner: (partner) => partner || 'Partner', rollback: 'Rollback',
	save_activity: 'Saved', set_unlink_block: 'Block',
	follow_up: 'Follow-up', update_ctt_count: 'Count',
	enqueue_jobs: 'Jobs', add_note: 'Note', write_history: 'History',
	write_audit: 'Audit',
};
const ANSWERS = { ok: 'yes', failed: 'no', skipped: 'skipped',
	unknown: 'unknown', unknownAtFirst: 'unknown at first',
	assumed: 'assumed', byHand: 'by hand', forced: 'no, forced',
	unneeded: 'no need', unreached: 'not reached', waiting: 'to come' };
const ANSWERS_OF = {
	rollback: { ok: 'yes', undone: 'yes', unneeded: 'no need',
		unreached: 'no' },
	load_ctt: { failed: 'no' },
};
const GROUPS = { checks: 'Before anything was done', here: 'Here, in cttd',
	partner: (partner) => `At ${partner || 'the partner'}`, after: 'What followed' };
const ROLES = {
	UNLINK: (ntt) => `Unlink from ${ntt}`,
	LINK: (ntt) => `Link to ${ntt}`,
	back: (ntt) => `Back to ${ntt}`,
	RESOLVE: () => 'Resolve',
	CPE_UPDATE: () => 'Equipment update',
};

function named(kind, number) {
	return number ? `${kind} ${number}` : `an unknown ${kind}`;
}

function worded(text, ...values) {
	return typeof text === 'function' ? text(...values) : text;
}

const operation = {
	title: 'Operation',
	heading: (kind, ctt, ntt) => TITLES[kind]?.(ctt, ntt) ?? kind,
	verdict: (it) => VERDICTS[it.state]?.(it) ?? it.state,
	advice: (it) => ADVICE[it.state]?.(it) ?? '',
	question: (step, partner) => worded(QUESTIONS[step] ?? step, partner),
	short: (step, partner) => worded(SHORT[step] ?? step, partner),
	answer: (step, answer) => ANSWERS_OF[step]?.[answer] ?? ANSWERS[answer]
		?? answer,
	group: (group, partner) => worded(GROUPS[group] ?? group, partner),
	// the trace
	checklist: 'Checklist',
	legend: 'What the shapes mean',
	mark_ok: 'yes', mark_failed: 'no', mark_skipped: 'skipped',
	mark_unknown: 'unknown', mark_assumed: 'assumed, or decided by hand',
	mark_undone: 'taken back', mark_unneeded: 'not needed',
	mark_unreached: 'not reached', mark_waiting: 'to come',
	scale: 'Time since the beginning',
	scaleLog: 'Time since the beginning, on a logarithmic scale',
	askedAgain: 'Asked again: ',
	askedAgainLabel: 'Asked again',
	theirWords: (partner) => `${partner}’s words`,
	after: (text) => `after ${text}`,
	lastError: 'What it waits for',
	lastErrorWords: 'The last answer',
	refreshed: 'This page follows it by itself.',
	stale: (text) => `It could not be read again. What is shown is of ${text}.`,
	// facts
	fact_operation: 'Operation', fact_request: 'Request', fact_actor: 'Asked by',
	fact_partner: 'Partner', fact_began: 'Began', fact_ended: 'Ended',
	fact_lastChange: 'Last change', fact_nextTry: 'Next try',
	fact_error: 'Error', fact_page: 'Page', fact_took: 'Took',
	fact_ctt: 'CTT', fact_ntt: 'NTT',
	noPartner: 'none', notAsked: 'not asked',
	// what belongs together
	sameRequest: 'Operations of this request on this ticket',
	role: (role, ntt) => ROLES[role]?.(ntt ?? '?') ?? role,
	thisOne: 'this one',
	moveTitle: 'The move',
	moved: ({ ctt, from, to }) => `CTT ${ctt} was moved from NTT ${from} to NTT ${to}.`,
	movedBack: ({ ctt, from, to }) => `CTT ${ctt} was to move from NTT ${from} to NTT ${to}. The link failed, and it was put back.`,
	moveLost: ({ ctt, from, to }) => `CTT ${ctt} was to move from NTT ${from} to NTT ${to}. It was unlinked; the link failed, and so did the way back. It is linked to neither.`,
	moveOpen: ({ ctt, from, to }) => `CTT ${ctt} is moving from NTT ${from} to NTT ${to}.`,
	// jobs
	jobs: 'Jobs',
	noJobsOpen: 'Jobs are written when the operation has succeeded.',
	noJobsFailed: 'Only an operation that succeeded leaves jobs.',
	noJobsGone: 'It wrote jobs. They were delivered, and their records have been removed since.',
	noJobsKind: 'An operation of this kind leaves no jobs.',
	job_READY: 'waiting', job_RUNNING: 'being delivered', job_DONE: 'delivered',
	job_DEAD: 'given up',
	attempts: (n) => (n === 1 ? '1 attempt' : `${n} attempts`),
	jobDead: 'An administrator can have it tried again: cttctl jobs retry.',
	colJob: 'Job', colState: 'State', colAttempts: 'Attempts',
	colWhen: 'When', colLast: 'Last answer',
	// audit
	audit: 'Audit', auditRows: 'Audit rows',
	noAuditOpen: 'Audit rows are written when the operation ends.',
	noAuditRefused: 'A refusal by a check leaves no audit rows: nothing was changed.',
	noAuditFound: 'No audit row of it was found.',
	colTicket: 'Ticket', colOutcome: 'Outcome', colRow: 'Row', colDetail: 'Detail',
	// the mail
	mail: 'Copy as text for a mail',
	mailShow: 'Show the text',
	mailCopied: 'Copied. Paste it into the mail.',
	mailFailed: 'The browser did not let it be copied. Select the text below.',
	// a request
	requestOf: 'Operations of one request',
	noRequest: 'No operation has this request id',
	noRequestWhy: 'The request was refused before anything was begun, or the id is another one. A dry run begins nothing.',
	requestCounts: 'Operations by state',
	all: 'All',
	colOperation: 'Operation', colCtt: 'CTT', colKind: 'What',
	colPartner: 'Partner',
	showMore: (n) => `Read the next ${n}`,
	readSoFar: (n, all) => `${n} of ${all} are read.`,
	groupCount: (n) => (n === 1 ? '1 operation' : `${n} operations`),
	requestOpen: 'It is under way. This page follows it by itself.',
	groupOf: (state, code) => (code ? `${state}: ${code}` : state),
};

const health = {
	title: 'Health',
	readAt: 'Read at', pause: 'Pause', goOn: 'Go on', paused: 'paused',
	held: 'It stays as it is while you are here.',
	well: 'All is well.',
	lookAt: (n) => (n === 1 ? 'One thing wants a look.' : `${n} things want a look.`),
	forbidden: 'Health is for administrators',
	forbiddenWhy: 'It needs the permission admin. By default the role ctt-admin has it; CTT_ROLES_ADMIN names the roles.',
	unknown: 'Not known', dbKnows: 'Only the database knows, and it is away.',
	orMore: (n) => `${n} or more`,
	// what is not well
	dbAway: 'The database is away: changes are refused.',
	dbReadOnly: 'The database takes no writes: changes are refused.',
	noWorker: 'No worker runs: jobs wait, and open operations stay open.',
	workerLate: (text) => `What is due waits for a worker, for ${text} now.`,
	partnerBroken: (name) => `${name} keeps failing, and is only probed.`,
	partnerFails: (name) => `The last call of ${name} failed.`,
	deadJobs: (n) => `Jobs that were given up: ${n}.`,
	oldOperation: (text) => `The oldest open operation has been open for ${text}.`,
	cacheAway: 'memcached is away: unlink blocks are read from the database.',
	// partners
	partners: 'Partners',
	partnerName: (name) => name.replace(/^the j/, 'J'),
	answers: 'Answers', broken: 'Only probed', notAsked: 'Not asked yet',
	failing: (n) => (n === 1 ? 'Failed once' : `Failed ${n} times`),
	waiting: 'Calls under way', ofLimit: (n, limit) => `${n} of ${limit}`,
	usual: 'Usual answer', answeredAt: 'Last answer', lastFailure: 'Last failure',
	noAnswer: 'no answer', http: (status) => `HTTP ${status}`,
	curve: (n) => `Calls under way, the last ${n} readings`,
	curveName: 'Calls under way since this page was opened',
	// parts
	parts: 'Database and worker',
	database: 'Database', worker: 'Worker', cache: 'memcached',
	takesWrites: 'Takes writes', readOnly: 'Takes no writes', away: 'Away', up: 'Answers',
	dbMs: 'Connect and read', works: 'Works', noneRuns: 'None runs', isLate: 'Late',
	running: 'Running', beatAt: 'Last sign of life', workedAt: 'Last worked',
	operationLate: 'Operation due for', jobLate: 'Job due for',
	nothingDue: 'nothing is due', without: 'Requests that did without',
	// operations
	operations: 'Open operations',
	byAge: 'By age', byKind: 'By kind', drawn: 'Drawn', number: 'Number',
	below: (text) => `under ${text}`, over: (text) => `over ${text}`,
	runningSettling: (a, b) => `${a} running, ${b} settling`,
	keyRunning: 'running: under way now',
	keySettling: 'settling: a partner’s side is not known yet',
	oldest: 'The oldest:', noOldest: 'No operation is open.',
	tries: (n) => (n === 1 ? 'tried once' : `tried ${n} times`),
	openList: 'The latest that are open', openRows: 'Open operations, the latest first',
	noOpen: 'No operation is open.',
	// jobs
	jobs: 'Jobs', byState: 'By state',
	oldestJob: (text) => `The oldest has waited for ${text}.`,
	noneWaits: 'No job waits.',
	curveJobs: (n) => `Jobs that are ready, the last ${n} readings`,
	curveJobsName: 'Jobs that are ready, since this page was opened',
	dead: 'Jobs that were given up', deadRows: 'The latest jobs that were given up',
	noDead: 'None. Every job was delivered, or is tried again.',
	deadDo: 'The latest five. An administrator lists all by cttctl jobs, and has them tried again by cttctl jobs retry.',
	diedAt: 'Given up',
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
