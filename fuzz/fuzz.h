#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

/* What holds for every input is said by assert(): never without it. */
#undef NDEBUG
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "web/request.h"

/*
 * A target: called by libFuzzer, or by replay.c for each file of a corpus. Where
 * it stands in for a part, Makefile.am has the linker call its __wrap_NAME for
 * NAME, which is __real_NAME then.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What tokens have to be signed with; the rest as for verifier_open. */
struct verifier *fuzz_verifier(const char *alg, const char *key, size_t n,
			       const char *issuer, const char *audience);

/* A process of the pool whose database, memcached and partners are away; its
 * verifier; and a header by which it lets everybody do everything. */
struct app *fuzz_app(void);
struct verifier *fuzz_app_verifier(void);
extern const char fuzz_authorization[];

/*
 * The request that the input is: a line ("POST /ticket/ctt/link?dryRun=true"),
 * and its body. False where there is no line.
 */
bool fuzz_request(const uint8_t *data, size_t size, struct arena *mem,
		  struct request *rq_r);

/* What every answer is, whatever was asked: contract section 3. */
void check_answer(const struct request *rq);

/* Valid UTF-8 of so many characters; of the control characters it may have
 * only these. */
void check_text(const char *s, size_t least, size_t most, const char *controls);

#endif
