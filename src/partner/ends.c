#include "partner/ends.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/text.h"
#include "model/tally.h"
#include "partner/partner.h"

enum { CLAIMS_MOST = 8192 }; /* bytes of a token's claims */

int64_t ending_of_cert(const X509 *cert)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) ?
	       (int64_t)timegm(&tm) : 0;
}

/* 0: there is none. */
static int64_t end_of_pem(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	int64_t first = 0, end;
	X509 *cert;

	if (!bio)
		arena_exhausted();
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		end = ending_of_cert(cert);
		if (end && (!first || end < first))
			first = end;
		X509_free(cert);
	}
	ERR_clear_error(); /* the end of the text is one */
	BIO_free(bio);
	return first;
}

static int64_t end_of_token(const char *token)
{
	const char *claims = strchr(token, '.');
	char text[CLAIMS_MOST];
	const char *error;
	struct json_object *all, *exp = NULL;
	size_t n, len;
	int64_t end = 0;

	if (!claims)
		return 0;
	n = strcspn(++claims, ".");
	if (n > CLAIMS_MOST || !base64url_decode(claims, n, text, &len))
		return 0;
	all = json_read(text, len, &error);
	if (json_object_is_type(all, json_type_object) &&
	    json_object_object_get_ex(all, "exp", &exp))
		end = json_object_get_int64(exp);
	json_object_put(all);
	return end;
}

/* The token that the file has now; 0: none. */
static int64_t end_of_token_file(const char *path)
{
	struct arena *mem = arena_open();
	const char *token = *path ? conf_read_secret(path, mem) : NULL;
	int64_t end = token ? end_of_token(token) : 0;

	arena_close(mem);
	return end;
}

/* Of the certificates in the file as it is now, which each connection reads. */
static int64_t end_of_pem_file(const char *path)
{
	struct arena *mem = arena_open();
	const char *pem = *path ? conf_read_secret(path, mem) : NULL;
	int64_t end = pem ? end_of_pem(pem) : 0;

	arena_close(mem);
	return end;
}

static void add(struct ending *r, size_t *n, const char *partner,
		const char *what, int64_t at_s)
{
	if (at_s <= 0)
		return;
	snprintf(r[*n].setting, sizeof r[*n].setting, "CTT_%s_%s", partner,
		 what);
	r[(*n)++].at_s = at_s;
}

size_t endings_find(const struct conf *cf, struct ending r[ENDINGS_MOST])
{
	size_t n = 0;

	for (unsigned p = 0; p < PARTNER__MAX; p++) {
		const char *code = partners[p]->code;

		add(r, &n, code, "URL", tally_get(TALLY_SERVER_ENDS + p));
		add(r, &n, code, "TOKEN_FILE",
		    end_of_token_file(cf->token_file[p]));
		add(r, &n, code, "CERT_FILE", end_of_pem(cf->cert[p]));
		add(r, &n, code, "CA_FILE", end_of_pem(cf->ca[p]));
	}
	add(r, &n, "JWT", "CA_FILE", end_of_pem(cf->jwt_ca));
	add(r, &n, "DB", "CERT_FILE", end_of_pem_file(cf->db_cert));
	add(r, &n, "DB", "CA_FILE", end_of_pem_file(cf->db_ca));
	return n;
}
