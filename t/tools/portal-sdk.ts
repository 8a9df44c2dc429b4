// The same portal with the functions that @hey-api/openapi-ts makes (sdk/): see
// portal-fetch.ts.

import { client } from './sdk/client.gen';
import { linkCtt, listCtts, readOperation } from './sdk';
import type { Linked } from './sdk';

declare const process: { argv: [string, ...string[]] };
const [, , url = '', token = '', ctt, ntt] = process.argv;

client.setConfig({ baseUrl: url, auth: token });

function link(key: string) {
	return linkCtt({ headers: { 'Idempotency-Key': key },
		body: { cttId: Number(ctt), nttId: Number(ntt), remark: 'typed' } });
}

async function mistakes(): Promise<void> {
	// @ts-expect-error the NTT is missing
	await linkCtt({ body: { cttId: 1 } });
	// @ts-expect-error no such parameter
	await listCtts({ query: { nmber: 'C-1' } });
}

async function main(): Promise<void> {
	const first = await link(`first-${ctt}`);
	if (!first.data)
		throw new Error(first.error.detail);
	const linked: Linked = first.data;
	const linkedTo: string | null = linked.ctt.nttTicketNo;
	const count: number = linked.ntt.cttCount;
	// @ts-expect-error no such member
	void linked.ctt.nttTicket;

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

	const trace = await readOperation({
		path: { operation: linked.operationId ?? '' } });
	console.log(JSON.stringify({ linkedTo, count, refused,
		state: trace.data?.state,
		steps: trace.data?.steps.map(step => step.step) }));
}

main().catch(fault => { console.log(String(fault)); void mistakes; });
