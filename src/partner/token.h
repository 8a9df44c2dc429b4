#ifndef PARTNER_TOKEN_H
#define PARTNER_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/conf.h"

/*
 * The bearer tokens of the partners, which the threads of a process share. That
 * of a file is read again when the file changes. One by OAuth is fetched by a
 * thread of its own when somebody needs it: a call waits only if there is no
 * good one, and no partner's calls wait for another's token endpoint.
 */
struct tokens;

struct tokens *tokens_open(const struct conf *cf);
void tokens_close(struct tokens *t);

struct token {
	const char *text; /* "": this partner gets none */
	uint64_t number;  /* of those of this partner   */
};

enum token_state {
	TOKEN_READY,
	TOKEN_WAIT, /* one is being fetched: ask again soon             */
	TOKEN_NONE, /* there is none; *why_r tells why, without a secret */
};

/* Take the partner's token; memory from `mem`. Not the one with the number
 * `refused`, or an older one, if that is not 0. */
enum token_state token_take(struct tokens *t, enum partner_id id,
			    uint64_t refused, struct arena *mem,
			    struct token *token_r, const char **why_r);

/* The partner refused this token. Can there be another one? */
bool token_renews(const struct tokens *t, enum partner_id id);

/* The partner did not refuse it. */
void token_worked(struct tokens *t, enum partner_id id, uint64_t number);

/* Fetch each once, in this thread. err gets a line for each setting that gets
 * none. */
void tokens_try(const struct conf *cf, char *err, size_t errlen);

#endif
