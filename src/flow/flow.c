#include "saga/flow.h"

const struct flow *const flows[KIND__MAX] = {
	[OP_LINK] = &flow_link,
};
