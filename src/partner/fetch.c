#include "partner/fetch.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "partner/handle.h"

enum { BODY_MOST = 256 * 1024 };

static size_t on_body(char *s, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;

	(void)size; /* is 1 */
	if (body->len + n > BODY_MOST)
		return CURL_WRITEFUNC_ERROR;
	buf_add(body, s, n);
	return n;
}

/* libcurl calls it at least once a second. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c,
		       curl_off_t d)
{
	const struct fetch *what = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return what->must_stop(what->arg);
}

static void set_ca(CURL *curl, const char *pem)
{
	struct curl_blob ca = {(void *)(uintptr_t)pem, strlen(pem),
			       CURL_BLOB_NOCOPY};

	if (*pem)
		SET(curl, CURLOPT_CAINFO_BLOB, &ca);
}

static void set_form(CURL *curl, const struct fetch *what)
{
	SET(curl, CURLOPT_POST, 1L);
	SET(curl, CURLOPT_POSTFIELDS, what->form);
	SET(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	SET(curl, CURLOPT_USERNAME, what->user);
	SET(curl, CURLOPT_PASSWORD, what->password);
}

static CURL *transfer_make(const struct fetch *what, struct buf *body,
			   char *error)
{
	CURL *curl = handle_make(what->proxy ? what->proxy : "");

	SET(curl, CURLOPT_URL, what->url);
	SET(curl, CURLOPT_TIMEOUT_MS, (long)what->most_ms);
	SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)what->connect_ms);
	SET(curl, CURLOPT_WRITEFUNCTION, on_body);
	SET(curl, CURLOPT_WRITEDATA, body);
	SET(curl, CURLOPT_NOPROGRESS, 0L);
	SET(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)what);
	SET(curl, CURLOPT_ERRORBUFFER, error);
	set_ca(curl, what->ca);
	if (what->form)
		set_form(curl, what);
	return curl;
}

bool fetch_document(const struct fetch *what, struct buf *body, char *why,
		    size_t size)
{
	char error[CURL_ERROR_SIZE] = "";
	CURL *curl = transfer_make(what, body, error);
	CURLcode code = curl_easy_perform(curl);
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (code == CURLE_WRITE_ERROR)
		snprintf(why, size, "it is longer than 256 KiB");
	else if (code)
		snprintf(why, size, "%s",
			 *error ? error : curl_easy_strerror(code));
	else if (status != 200)
		snprintf(why, size, "the provider answered %ld", status);
	return !code && status == 200;
}
