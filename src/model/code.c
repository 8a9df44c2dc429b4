#include "model/code.h"

#include <string.h>

const struct code_info code_info[CODE__MAX] = {
	[CODE_OK] = {"", 200, ""},
#define C(id, status, title) [CODE_##id] = {#id, status, title},
	CODES(C)
#undef C
};

enum code code_of(const char *name)
{
	int i = CODE__MAX;

	while (--i > CODE_OK && (!name || strcmp(code_info[i].name, name)))
		;
	return (enum code)i;
}
