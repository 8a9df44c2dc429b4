// A portal with the types that openapi-typescript makes of openapi.json (api.ts),
// and openapi-fetch. t/95-clients.t compiles it, and runs it:
//
//	node portal-fetch.js URL TOKEN CTT NTT
//
// It links the CTT, and once more, which is refused; and prints what it learnt.
// Each @ts-expect-error is a mistake that the compiler has to find.

import createClient from 'openapi-fetch';
import type { paths } from './api';

declare const process: { argv: [string, ...string[]] };
const [, , url = '', token = '', ctt, ntt] = process.argv;
const api = createClient<paths>({ baseUrl: url,
	headers: { Authorization: `Bearer ${token}` } });

function link(key: string) {
	return api.POST('/ticket/ctt/link', {
		params: { header: { 'Idempotency-Key': key } },
		body: { cttId: Number(ctt), nttId: Number(ntt), remark: 'typed' },
	});
}

async function mistakes(): Promise<void> {
	// @ts-expect-error no such path
	await api.GET('/ticket/cct');
	// @ts-expect-error the NTT is missing
	await api.POST('/ticket/ctt/link', { body: { cttId: 1 } });
	// @ts-expect-error no such parameter
	await api.GET('/ticket/ctt', { params: { query: { nmber: 'C-1' } } });
}

async function main(): Promise<void> {
	const first = await link(`first-${ctt}`);
	if (first.error)
		throw new Error(first.error.detail);
	const linkedTo: string | null = first.data.ctt.nttTicketNo;
	const count: number = first.data.ntt.cttCount;
	// @ts-expect-error no such member
	void first.data.ctt.nttTicket;

	const again = await link(`again-${ctt}`);
	let refused = 'nothing';
	switch (again.error?.code) {
	case 'CTT_ALREADY_LINKED':
		refused = `${again.error.type} ${again.error.nttId}`;
		break;
	case 'OPERATION_IN_PROGRESS':
		refused = `in ${again.error.retryAfter} s`;
		break;
	case 'CTT_NOT_FOUND':
		refused = again.error.detail;
		// @ts-expect-error this problem names no NTT
		void again.error.nttId;
		break;
	// @ts-expect-error no such code
	case 'CTT_IS_LINKED':
		break;
	}

	const trace = await api.GET('/ticket/operation/{operation}',
		{ params: { path: { operation: first.data.operationId ?? '' } } });
	console.log(JSON.stringify({ linkedTo, count, refused,
		state: trace.data?.state,
		steps: trace.data?.steps.map(step => step.step) }));
}

main().catch(fault => { console.log(String(fault)); void mistakes; });
