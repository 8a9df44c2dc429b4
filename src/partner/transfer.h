#ifndef PARTNER_TRANSFER_H
#define PARTNER_TRANSFER_H

#include <curl/curl.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "partner/partner.h"

/*
 * A transfer is one HTTP request to a partner and its answer, as libcurl makes
 * it. Many run at once. This part knows nothing of calls: partner/stage.c
 * decides what is sent and what an answer means. All is one thread's.
 */
enum { ETAG_MAX = 256 };

/* What the transfers of one transport share. */
struct transfers {
	const struct conf *cf;
	struct sender sender; /* of whom uses the transport now */
	CURLM *multi;         /* owns the connections           */
	X509_STORE *ca[PARTNER__MAX]; /* NULL: the system's     */
	struct curl_slist *headers[PARTNER__MAX]; /* of their files */
};

struct transfer {
	struct transfers *shared;
	void *owner; /* the caller's */

	/* the request, which the caller fills; texts live until the end */
	struct arena *mem;
	enum partner_id partner;
	struct exchange x;
	const char *key, *request_id;
	const char *token; /* "": none                                  */
	const char *match; /* the value of If-Match; "": none           */
	int64_t deadline;  /* clock_mono_ms                             */

	/* the end, which transfers_ended fills */
	const char *broken; /* why there is no whole answer; NULL: there is */
	long status;        /* of the last whole answer in any transfer     */
	struct buf answer;
	char etag[ETAG_MAX]; /* a strong one; "": none                   */
	bool overflow;       /* the answer was longer than we read       */
	/* 0: it certainly did not reach the partner. 2: libcurl would have
	 * sent it again. The caller sets it to 0 before each try. */
	unsigned sent;

	/* private */
	CURL *curl;
	struct curl_slist *headers;
	struct buf url;
	char error[CURL_ERROR_SIZE];
	bool barred;     /* this process may not send any more       */
	bool head_whole; /* the header was read to its empty line    */
	long said;       /* the status in its first line; 0: none    */
};

struct transfers *transfers_open(const struct conf *cf);

/* No transfer runs. */
void transfers_close(struct transfers *all);

/* May this process still send a change? Renews what gives the right to. */
bool transfers_may_send(const struct transfers *all);

/* Send the request. The header has the members above and the lines of the
 * partner's headers file. A change is not sent if the sender may not. */
void transfer_send(struct transfer *t);

/* Go on with all that run. */
void transfers_perform(struct transfers *all);

/* A transfer that has ended, once; NULL: no other has. */
struct transfer *transfers_ended(struct transfers *all);

/* Wait until something happens, at most so long. */
void transfers_wait(struct transfers *all, int ms);

/* How long the partner asks to wait (Retry-After); at most an hour. */
int64_t transfer_retry_after_ms(const struct transfer *t);

/* The begin of the answer, for the operator who reads the refusal. It holds no
 * secret of the request. Memory from t->mem. */
const char *transfer_excerpt(const struct transfer *t);

/* Free the header of the last request, with its token. */
void transfer_forget(struct transfer *t);

/* Free all that a transfer holds; none runs. */
void transfer_close(struct transfer *t);

#endif
