/*
 * What OpenSSL says of a certificate chain under DANE when Postfix's SMTP client asks it: the second
 * opinion on hoplock's own verifier (RFC 7671; RFC 7672, 3).
 *
 * Why this is what Postfix gets. At the levels "dane" and "dane-only" Postfix decides nothing about
 * certificates itself: it hands records and names to OpenSSL, goes on with the handshake whatever
 * OpenSSL thinks, and reads SSL_get_verify_result() in the end. So the settings are the same here:
 *
 *   - SSL_CTX_dane_enable(); SHA2-512 over SHA2-256 (tls_dane_digests = sha512 sha256), the private
 *     type 255 never (SSL_CTX_dane_mtype_set);
 *   - depth 10: smtp_tls_scert_verifydepth = 9, to which Postfix adds 1;
 *   - SSL_dane_enable() without a base domain, DANE_FLAG_NO_DANE_EE_NAMECHECKS,
 *     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, and every name through SSL_add1_host();
 *   - records shorter than four octets, of usage 0 or 1, or of type 255 are dropped before OpenSSL sees
 *     them; for the others SSL_dane_tlsa_add() == 0 means unusable;
 *   - security level 1 ("80-bit plus") wherever the peer must be authenticated;
 *   - a verify callback that always says "go on" and keeps the error that is nearest to the leaf.
 *
 * No handshake is needed for that: when the chain has come in, libssl's ssl_verify_cert_chain() makes
 * an X509_STORE_CTX in a few steps, all of which are public, and "verify" below takes the same ones in
 * the same order. "handshake" makes the real one in memory, so that a test can see both agree.
 * Certificates in CAfile or CApath play no part: OpenSSL looks into its store only for usages 0 and 1,
 * so the store is empty. Left out, since a chain alone does not show it: TLS's own limits (100 KiB of
 * certificates, suites and key usages that fit), client certificates, and session resumption.
 *
 * Protocol, on the lines of lines.h; "-" is the empty list:
 *
 *   verify TIME NAMES RDATAS CERTIFICATES          leaf first; NAMES are octets too
 *   handshake TIME NAMES RDATAS CERTIFICATES KEY   the same, with the leaf's key as PKCS #8
 *
 *   accepted USABLE DEPTH USAGE SELECTOR MATCHING  DEPTH is the anchor's: where a key that was not
 *                                                  shown has signed the topmost certificate, OpenSSL
 *                                                  tells that one's depth, and here it is one more
 *   refused USABLE DEPTH ERROR TEXT...
 *   unusable USABLE                                no record can be used
 *   unparsable USABLE INDEX                        OpenSSL cannot read that certificate
 *   failed USABLE TEXT...                          the handshake itself failed
 *
 * USABLE has a 0 or a 1 for each record. Anything else on stdin ends the program.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lines.h"

enum { LARGEST = 256, DEPTH = 9 + 1 };

typedef struct {
    Octets item[LARGEST];
    int count;
} List;

/* What Postfix keeps in its TLScontext about errors. */
typedef struct {
    int error;
    int depth;
} Kept;

static SSL_CTX *client;
static int kept_index;

static List list(char *text) {
    List all = { .count = 0 };
    char *one;

    if (text == NULL)
        die("a field is missing");
    if (strcmp(text, "-") == 0)
        return all;
    /* strsep, since an empty item is an item: a record without octets. */
    while ((one = strsep(&text, ",")) != NULL) {
        if (all.count == LARGEST)
            die("a list is too long");
        all.item[all.count++] = octets(one);
    }
    return all;
}

/* As tls_verify_certificate_callback() in Postfix's tls_verify.c does: never stop; of the errors keep
 * the one nearest to the leaf, and a wrong name only if nothing else is wrong. */
static int go_on(int ok, X509_STORE_CTX *store) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    Kept *kept = SSL_get_ex_data(ssl, kept_index);
    int error = X509_STORE_CTX_get_error(store);
    int depth = X509_STORE_CTX_get_error_depth(store);

    if (ok)
        return 1;
    if (kept->error != X509_V_OK
        && ((kept->depth <= depth && kept->error != X509_V_ERR_HOSTNAME_MISMATCH)
            || error == X509_V_ERR_HOSTNAME_MISMATCH)) {
        X509_STORE_CTX_set_error(store, kept->error);
        return 1;
    }
    kept->error = error;
    kept->depth = depth;
    return 1;
}

static void set_up(void) {
    client = SSL_CTX_new(TLS_client_method());
    kept_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (client == NULL || kept_index < 0 || SSL_CTX_dane_enable(client) <= 0)
        die("OpenSSL has no DANE");
    SSL_CTX_set_security_level(client, 0);
    SSL_CTX_set_verify_depth(client, DEPTH);
    SSL_CTX_set_verify(client, SSL_VERIFY_NONE, go_on);
    if (SSL_CTX_dane_mtype_set(client, EVP_sha512(), 2, 2) <= 0
        || SSL_CTX_dane_mtype_set(client, EVP_sha256(), 1, 1) <= 0)
        die("OpenSSL lacks a digest");
}

/* The client's side of one connection, ready to verify. Fills `usable`; `any` says whether there is
 * a 1 in it. */
static SSL *connection(time_t now, const List *names, const List *records, Kept *kept,
                       char *usable, int *any) {
    SSL *ssl = SSL_new(client);
    int i;

    if (ssl == NULL || SSL_dane_enable(ssl, NULL) <= 0)
        die("no connection");
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set_ex_data(ssl, kept_index, kept);
    for (i = 0; i < names->count; i++)
        if (!SSL_add1_host(ssl, (char *) names->item[i].data))
            die("a name is refused");
    for (*any = 0, i = 0; i < records->count; i++) {
        const unsigned char *rdata = records->item[i].data;
        size_t length = records->item[i].length;
        int added = 0;

        if (length > 3 && (rdata[0] == 2 || rdata[0] == 3) && rdata[2] != 255)
            added = SSL_dane_tlsa_add(ssl, rdata[0], rdata[1], rdata[2], rdata + 3, length - 3);
        if (added < 0)
            die("a record cannot be loaded");
        usable[i] = added > 0 ? '1' : '0';
        *any |= added > 0;
    }
    usable[i] = 0;
    SSL_set_security_level(ssl, 1);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), now);
    return ssl;
}

/* libssl's ssl_verify_cert_chain(), step by step. */
static void verify(SSL *ssl, STACK_OF(X509) *chain) {
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *parameters;

    if (store == NULL
        || !X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(client), sk_X509_value(chain, 0), chain))
        die("no context");
    parameters = X509_STORE_CTX_get0_param(store);
    X509_VERIFY_PARAM_set_auth_level(parameters, SSL_get_security_level(ssl));
    X509_STORE_CTX_set_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl);
    X509_STORE_CTX_set0_dane(store, SSL_get0_dane(ssl));
    X509_STORE_CTX_set_default(store, "ssl_server");
    X509_VERIFY_PARAM_set1(parameters, SSL_get0_param(ssl));
    X509_STORE_CTX_set_verify_cb(store, go_on);
    X509_verify_cert(store);
    SSL_set_verify_result(ssl, X509_STORE_CTX_get_error(store));
    X509_STORE_CTX_free(store);
}

/* Both sides in memory. Returns what is wrong with the handshake as such, or NULL. */
static const char *shake_hands(SSL *ssl, STACK_OF(X509) *chain, Octets pkcs8) {
    const unsigned char *next = pkcs8.data;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &next, (long) pkcs8.length);
    SSL *server;
    BIO *ours, *theirs;
    const char *wrong = NULL;
    int i, round;

    if (context == NULL || key == NULL || !BIO_new_bio_pair(&ours, 1 << 17, &theirs, 1 << 17))
        die("no server");
    SSL_CTX_set_security_level(context, 0);
    if (!SSL_CTX_use_certificate(context, sk_X509_value(chain, 0))
        || !SSL_CTX_use_PrivateKey(context, key))
        wrong = "the server will not show that";
    for (i = 1; i < sk_X509_num(chain); i++)
        SSL_CTX_add1_chain_cert(context, sk_X509_value(chain, i));
    server = SSL_new(context);
    SSL_set_bio(server, theirs, theirs);
    SSL_set_bio(ssl, ours, ours);
    SSL_set_accept_state(server);
    SSL_set_connect_state(ssl);
    for (round = 0; wrong == NULL && !SSL_is_init_finished(ssl); round++) {
        SSL_do_handshake(ssl);
        SSL_do_handshake(server);
        if (round == 10)
            wrong = "the handshake failed";
    }
    SSL_free(server);
    EVP_PKEY_free(key);
    SSL_CTX_free(context);
    return wrong;
}

static STACK_OF(X509) *read_chain(const List *certificates, int *bad) {
    STACK_OF(X509) *chain = sk_X509_new_null();
    int i;

    for (*bad = -1, i = 0; i < certificates->count && *bad < 0; i++) {
        const unsigned char *next = certificates->item[i].data;
        size_t length = certificates->item[i].length;
        X509 *one = d2i_X509(NULL, &next, (long) length);

        /* As in TLS: exactly one certificate, and nothing behind it. */
        if (one == NULL || next != certificates->item[i].data + length)
            *bad = i;
        if (one != NULL)
            sk_X509_push(chain, one);
    }
    if (certificates->count == 0)
        *bad = 0;
    return chain;
}

static void answer(SSL *ssl, const Kept *kept, const char *usable) {
    uint8_t usage = 0, selector = 0, matching = 0;
    EVP_PKEY *bare_key = NULL;
    int depth = SSL_get0_dane_authority(ssl, NULL, &bare_key);
    long result = SSL_get_verify_result(ssl);

    if (result != X509_V_OK) {
        printf("refused %s %d %ld %s\n", usable, kept->depth, result,
               X509_verify_cert_error_string(result));
        return;
    }
    SSL_get0_dane_tlsa(ssl, &usage, &selector, &matching, NULL, NULL);
    printf("accepted %s %d %d %d %d\n", usable, depth + (bare_key != NULL), usage, selector, matching);
}

static void one_case(const char *kind, char *line) {
    char *text = strsep(&line, " ");
    time_t now = text == NULL ? 0 : (time_t) strtoll(text, NULL, 10);
    List names = list(strsep(&line, " "));
    List records = list(strsep(&line, " "));
    List certificates = list(strsep(&line, " "));
    char usable[LARGEST + 1];
    Kept kept = { X509_V_OK, -1 };
    int any, bad;
    SSL *ssl = connection(now, &names, &records, &kept, usable, &any);
    STACK_OF(X509) *chain = read_chain(&certificates, &bad);
    const char *wrong = NULL;

    if (usable[0] == 0)
        strcpy(usable, "-");
    if (!any) {
        printf("unusable %s\n", usable);
    } else if (bad >= 0) {
        printf("unparsable %s %d\n", usable, bad);
    } else {
        if (strcmp(kind, "verify") == 0)
            verify(ssl, chain);
        else if (strcmp(kind, "handshake") == 0)
            wrong = shake_hands(ssl, chain, octets(line));
        else
            die("neither verify nor handshake");
        if (wrong != NULL)
            printf("failed %s %s\n", usable, wrong);
        else
            answer(ssl, &kept, usable);
    }
    sk_X509_pop_free(chain, X509_free);
    SSL_free(ssl);
    ERR_clear_error();
}

int main(void) {
    set_up();
    return answer_lines(one_case);
}
