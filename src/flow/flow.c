#include "saga/flow.h"

const struct flow *const flows[KIND__MAX] = {
#define K(name, id, ...) [OP_##name] = &flow_##id,
	KINDS(K)
#undef K
};
