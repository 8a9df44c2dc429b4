#include "model/ticket.h"

const char *const resolve_code_name[CODES_MAX] = {
	[CODE_CAUSE] = "causeCode",
	[CODE_DISPOSITION] = "disposition",
	[CODE_RESOLUTION] = "resolutionCode",
	[CODE_DELAY] = "delayReason",
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
