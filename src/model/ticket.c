#include "model/ticket.h"

#include <string.h>
#include <strings.h>

const char *const resolve_code_name[RESOLVE_CODES] = {
	[RESOLVE_CAUSE] = "causeCode",
	[RESOLVE_DISPOSITION] = "disposition",
	[RESOLVE_RESOLUTION] = "resolutionCode",
	[RESOLVE_DELAY] = "delayReason",
};

const struct cpe_text cpe_text[CPE_TEXTS] = {
	[CPE_MANUFACTURER] = {"manufacturer",
			      offsetof(struct cpe, manufacturer), 64},
	[CPE_MODEL] = {"model", offsetof(struct cpe, model), 64},
	[CPE_ADDRESS] = {"ipAddress", offsetof(struct cpe, ip_address), 45},
	[CPE_PORT] = {"port", offsetof(struct cpe, port), 32},
};

void put_cpe(struct buf *b, const char *key, const struct cpe *cpe)
{
	put_open(b, key, '{');
	put_str(b, "manufacturer", cpe->manufacturer);
	put_str(b, "model", cpe->model);
	put_str(b, "ipAddress", cpe->ip_address);
	put_id(b, "bandwidthMbps", (uint64_t)cpe->bandwidth_mbps);
	put_str(b, "port", cpe->port);
	put_close(b, '}');
}

static bool same(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

bool same_cpe(const struct cpe *a, const struct cpe *b)
{
	return same(a->manufacturer, b->manufacturer) &&
	       same(a->model, b->model) &&
	       same(a->ip_address, b->ip_address) && same(a->port, b->port) &&
	       a->bandwidth_mbps == b->bandwidth_mbps;
}

bool status_is_terminal(const char *status)
{
	return !strcasecmp(status, "Closed") || !strcasecmp(status, "Cancel");
}
