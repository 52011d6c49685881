/*
 * Keys and signatures for the generated certificates, such as no library of today makes any more: RSA
 * of 1024 bits, SHA-1, MD5. It knows nothing of certificates and judges nothing; dane_oracle.c does.
 *
 * Protocol, on the lines of lines.h:
 *
 *   key NAME [BITS|CURVE]        PKCS8 SPKI        RSA 1024, EC P-256, ED25519
 *   load PKCS8                   NUMBER            0, 1, 2, in the order of loading
 *   sign NUMBER DIGEST OCTETS    SIGNATURE         DIGEST is OpenSSL's name, or "-" where the key has
 *                                                  its own; "pss-" before it asks for RSA-PSS
 *
 * Anything else, or whatever OpenSSL will not do, ends the program.
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "lines.h"

enum { MOST_KEYS = 64 };

static EVP_PKEY *keys[MOST_KEYS];
static int known;

static void print(const unsigned char *data, size_t length, const char *end) {
    size_t i;

    for (i = 0; i < length; i++)
        printf("%02x", data[i]);
    fputs(end, stdout);
}

static void make(const char *name, const char *detail) {
    EVP_PKEY *key = NULL;
    PKCS8_PRIV_KEY_INFO *wrapped;
    unsigned char *private = NULL, *public = NULL;
    int length;

    if (name != NULL && detail != NULL && strcmp(name, "RSA") == 0)
        key = EVP_RSA_gen((unsigned) atoi(detail));
    else if (name != NULL && detail != NULL)
        key = EVP_PKEY_Q_keygen(NULL, NULL, name, detail);
    else if (name != NULL)
        key = EVP_PKEY_Q_keygen(NULL, NULL, name);
    if (key == NULL || (wrapped = EVP_PKEY2PKCS8(key)) == NULL)
        die("no such key");
    length = i2d_PKCS8_PRIV_KEY_INFO(wrapped, &private);
    print(private, (size_t) length, " ");
    length = i2d_PUBKEY(key, &public);
    print(public, (size_t) length, "\n");
    OPENSSL_free(private);
    OPENSSL_free(public);
    PKCS8_PRIV_KEY_INFO_free(wrapped);
    EVP_PKEY_free(key);
}

static void load(char *text) {
    Octets wrapped = octets(text);
    const unsigned char *next = wrapped.data;

    if (known == MOST_KEYS)
        die("too many keys");
    keys[known] = d2i_AutoPrivateKey(NULL, &next, (long) wrapped.length);
    if (keys[known] == NULL)
        die("not a key");
    printf("%d\n", known++);
}

static void sign(const char *number, const char *digest, char *text) {
    static unsigned char signature[1024];
    size_t room = sizeof signature;
    Octets given = octets(text);
    int which = number == NULL ? -1 : atoi(number);
    int pss = digest != NULL && strncmp(digest, "pss-", 4) == 0;
    const EVP_MD *hash = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters;

    if (which < 0 || which >= known || digest == NULL)
        die("no such key");
    if (strcmp(digest, "-") != 0 && (hash = EVP_get_digestbyname(digest + (pss ? 4 : 0))) == NULL)
        die("no such digest");
    if (EVP_DigestSignInit(context, &parameters, hash, NULL, keys[which]) <= 0
        || (pss && EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) <= 0)
        || (pss && EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) <= 0)
        || EVP_DigestSign(context, signature, &room, given.data, given.length) <= 0)
        die("cannot sign");
    print(signature, room, "\n");
    EVP_MD_CTX_free(context);
}

static void one_request(const char *kind, char *line) {
    char *first = strsep(&line, " "), *second;

    if (strcmp(kind, "key") == 0) {
        make(first, line);
    } else if (strcmp(kind, "load") == 0) {
        load(first);
    } else if (strcmp(kind, "sign") == 0) {
        second = strsep(&line, " ");
        sign(first, second, line);
    } else {
        die("neither key, load nor sign");
    }
}

int main(void) {
    return answer_lines(one_request);
}
