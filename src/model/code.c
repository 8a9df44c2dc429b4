#include "model/code.h"

const struct code_info code_info[CODE__MAX] = {
	[CODE_OK] = {"", 200, ""},
#define C(id, status, title) [CODE_##id] = {#id, status, title},
	CODES(C)
#undef C
};
