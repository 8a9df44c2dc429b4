#include "saga/flow.h"

const struct flow *const flows[KIND__MAX] = {
	[OP_LINK] = &flow_link,
	[OP_UNLINK] = &flow_unlink,
	[OP_RESOLVE] = &flow_resolve,
	[OP_CPE_UPDATE] = &flow_cpe,
};
