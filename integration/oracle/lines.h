/*
 * The protocol that both programs here speak on stdin and stdout: one line in, one line out; fields are
 * parted by spaces, lists by commas; octets are hexadecimal, in small letters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    unsigned char *data;
    size_t length;
} Octets;

static void die(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(2);
}

static int nibble(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    die("not hexadecimal");
    return 0;
}

/* Reads in place. The octets end with a NUL, so that they serve as a string too. */
static Octets octets(char *text) {
    size_t length, i;

    if (text == NULL)
        die("a field is missing");
    length = strlen(text);
    if (length % 2 != 0)
        die("half an octet");
    for (i = 0; i < length / 2; i++)
        text[i] = (char) (nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    text[length / 2] = 0;
    return (Octets) { (unsigned char *) text, length / 2 };
}

/* Gives every line to `answer`, which prints the answer, until stdin ends. */
static int answer_lines(void (*answer)(const char *kind, char *rest)) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    while ((length = getline(&line, &room, stdin)) > 0) {
        char *rest = line;
        const char *kind;

        if (line[length - 1] != '\n')
            die("half a line");
        line[length - 1] = 0;
        kind = strsep(&rest, " ");
        answer(kind, rest);
        fflush(stdout);
    }
    free(line);
    return 0;
}
