#include "partner/tls.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>


static char no_passphrase[] = ""; /* OpenSSL would ask the terminal for one */

static BIO *text_of(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);

	if (!bio)
		arena_exhausted();
	return bio;
}

/* Is the whole text PEM, with at least one certificate? libcurl would load no
 * certificate from any other text. */
bool tls_is_ca(const char *pem)
{
	BIO *bio = text_of(pem);
	STACK_OF(X509_INFO) *all = PEM_X509_INFO_read_bio(bio, NULL, NULL,
							 no_passphrase);
	bool found = false;

	for (int i = 0; i < sk_X509_INFO_num(all); i++)
		found = found || sk_X509_INFO_value(all, i)->x509;
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	ERR_clear_error(); /* the next TLS function would report it */
	return found;
}

X509_STORE *tls_store(const char *pem)
{
	BIO *bio = text_of(pem);
	STACK_OF(X509_INFO) *all = PEM_X509_INFO_read_bio(bio, NULL, NULL,
							 no_passphrase);
	X509_STORE *store = X509_STORE_new();

	if (!store || !all)
		arena_exhausted();
	for (int i = 0; i < sk_X509_INFO_num(all); i++) {
		const X509_INFO *info = sk_X509_INFO_value(all, i);

		if (info->x509)
			X509_STORE_add_cert(store, info->x509);
		if (info->crl)
			X509_STORE_add_crl(store, info->crl);
	}
	/* libcurl sets the same flags in a store of its own */
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST |
					    X509_V_FLAG_PARTIAL_CHAIN);
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	return store;
}

static X509 *cert_of(const char *pem)
{
	BIO *bio = text_of(pem);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, no_passphrase);

	BIO_free(bio);
	return cert;
}

static EVP_PKEY *key_of(const char *pem)
{
	BIO *bio = text_of(pem);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL,
						no_passphrase);

	BIO_free(bio);
	return key;
}

static const char *cert_error(const struct conf *cf, enum partner_id id,
			      const char **which)
{
	X509 *cert = cert_of(cf->cert[id]);
	EVP_PKEY *key = key_of(cf->key[id]);
	const char *error = NULL;

	*which = "CERT_FILE";
	if (!*cf->cert[id])
		error = "is not set, but its key is";
	else if (!cert)
		error = "holds no certificate in PEM";
	else
		*which = "KEY_FILE";
	if (!error && !*cf->key[id])
		error = "is not set, but its certificate is";
	else if (!error && !key)
		error = "holds no private key in PEM without a passphrase";
	else if (!error && X509_check_private_key(cert, key) != 1)
		error = "is not the key of the certificate";
	EVP_PKEY_free(key);
	X509_free(cert);
	ERR_clear_error(); /* the next TLS function would report it */
	return error;
}

static bool is_https(const char *url)
{
	return !strncmp(url, "https:", 6);
}

const char *tls_error(const struct conf *cf, enum partner_id id,
		      const char **which)
{
	bool shows = *cf->cert[id] || *cf->key[id];

	*which = *cf->cert[id] ? "CERT_FILE" : "KEY_FILE";
	if (shows && !is_https(cf->url[id]))
		return "is set, but the partner's URL is not https://";
	*which = "CA_FILE";
	if (*cf->ca[id] && !is_https(cf->url[id]) &&
	    !is_https(cf->oauth_url[id]))
		return "is set, but the partner's URL is not https://";
	if (*cf->ca[id] && !tls_is_ca(cf->ca[id]))
		return "holds no certificate in PEM";
	return shows ? cert_error(cf, id, which) : NULL;
}
