/*
 * flow/cpe.c - the customer's equipment is corrected: contract section 7
 *
 * Nothing is changed here before NIG accepts, so there is nothing to undo here.
 * At NIG the update is undone by sending the old values.
 */
#include <string.h>

#include <json-c/json.h>

#include "flow/common.h"
#include "model/rules.h"

static void cpe_check(const struct conf *cf, struct arena *mem,
		struct item *it)
{
	(void)cf;
	(void)(check_ctt_found(mem, it) && check_facts(mem, it) &&
	       check_elements(mem, it) && check_eligible(mem, it) &&
	       check_current(mem, it) && check_idle(mem, it));
}

static void cpe_intend(struct item *it, struct arena *mem)
{
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "networkElementId", it->cpe->element->id);
	put_str(&doc, "networkElement", it->cpe->element->name);
	put_cpe(&doc, "before", &it->cpe->element->cpe);
	put_cpe(&doc, "after", &it->cpe->wanted);
	put_close(&doc, '}');
	it->journal.intent = doc.s;
}

static struct cpe recall_cpe(struct json_object *o, struct arena *mem)
{
	return (struct cpe){
		.manufacturer = intent_text(o, "manufacturer", mem),
		.model = intent_text(o, "model", mem),
		.ip_address = intent_text(o, "ipAddress", mem),
		.port = intent_text(o, "port", mem),
		.bandwidth_mbps = (int64_t)intent_id(o, "bandwidthMbps"),
	};
}

static bool cpe_recall(struct item *it, struct json_object *intent,
		       struct arena *mem)
{
	struct cpe_update *u = arena_alloc(mem, sizeof *u);

	u->element = arena_alloc(mem, sizeof *u->element);
	u->element->id = intent_id(intent, "networkElementId");
	u->element->name = intent_text(intent, "networkElement", mem);
	u->element->cpe = recall_cpe(
		json_object_object_get(intent, "before"), mem);
	u->wanted = recall_cpe(json_object_object_get(intent, "after"), mem);
	it->cpe = u;
	return u->element->id && u->element->name;
}

/* The element of an update that was refused as stale, as it is stored now. */
static struct network_element *stored_element(const struct item *it)
{
	struct network_element *found = NULL;

	for (struct network_element *e = it->ctt->elements; e; e = e->next)
		if (it->cpe->element_id ? e->id == it->cpe->element_id :
		    !strcmp(e->access_type, "FTTH"))
			found = e;
	return found;
}

/* A fact that was wrong is found again; else several elements could have been
 * meant. */
static void cpe_restore(const struct conf *cf, struct arena *mem,
			struct item *it)
{
	(void)cf;
	if (it->state != OP_REFUSED || !it->ctt)
		return;
	if (it->code == CODE_CPE_STALE)
		it->cpe->element = stored_element(it);
	if (it->code != CODE_VALIDATION_FAILED || !check_facts(mem, it))
		return;
	it->error.field = "networkElementId";
	it->detail = "The CTT had several FTTH network elements; name one in "
		     "networkElementId.";
}

/* The call to NIG: the CTT's element changes from one state to another. */
static void fill_call(const struct item *it, struct call *c, bool back)
{
	const struct cpe_update *u = it->cpe;

	c->partner = PARTNER_NIG;
	c->verb = VERB_CPE;
	c->ticket = it->ctt->ticket_no;
	c->element_name = u->element->name;
	c->cpe_from = back ? &u->wanted : &u->element->cpe;
	c->cpe_to = back ? &u->element->cpe : &u->wanted;
}

static void cpe_ask(const struct item *it, struct call *c)
{
	fill_call(it, c, false);
}

static void cpe_unask(const struct item *it, struct call *c)
{
	fill_call(it, c, true);
}

static void cpe_settle(struct item *it, struct change *ch)
{
	change_element(ch, it);
	note_done(it, STEP_save_local, NULL);
	note_done(it, STEP_write_history, NULL);
}

const struct flow flow_cpe = {
	.kind = OP_CPE_UPDATE,
	.load = SQL_LOAD_ELEMENTS,
	.check = cpe_check,
	.save_step = STEP__MAX,
	.sync_failed = CODE_EXTERNAL_SYNC_FAILED,
	.noun = "CPE update",
	.done = "updated",
	.intend = cpe_intend,
	.recall = cpe_recall,
	.restore = cpe_restore,
	.ask = cpe_ask,
	.unask = cpe_unask,
	.settle = cpe_settle,
};
