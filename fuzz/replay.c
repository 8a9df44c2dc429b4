/*
 * fuzz/replay.c - run a target on files, as libFuzzer's own main does, but
 * without libFuzzer
 *
 * Says each file's name first: the last is at fault when the program ends
 * otherwise than by 0, or takes longer than LIMIT_S for it.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_S = 30, FILE_MAX = 1024 * 1024 };

static bool run(const char *path)
{
	static uint8_t room[FILE_MAX];
	FILE *f = fopen(path, "r");
	uint8_t *data;
	size_t n;

	printf("%s\n", path);
	fflush(stdout);
	if (!f) {
		perror(path);
		return false;
	}
	n = fread(room, 1, sizeof room, f);
	fclose(f);
	data = malloc(n ? n : 1); /* no longer: a sanitizer sees its end */
	assert(data);
	memcpy(data, room, n);
	alarm(LIMIT_S);
	LLVMFuzzerTestOneInput(data, n);
	alarm(0);
	free(data);
	return true;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad += !run(argv[i]);
	return bad > 0;
}
