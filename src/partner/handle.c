#include "partner/handle.h"

CURL *handle_make(const char *proxy)
{
	CURL *curl = curl_easy_init();

	if (!curl)
		arena_exhausted();
	SET(curl, CURLOPT_NOSIGNAL, 1L);
	SET(curl, CURLOPT_FOLLOWLOCATION, 0L);
	SET(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	/* what the environment says of proxies does not count */
	SET(curl, CURLOPT_PROXY, proxy);
	SET(curl, CURLOPT_NOPROXY, "");
	SET(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
	return curl;
}
