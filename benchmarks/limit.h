/* What the C limits of the small jobs share: 6 lanes x 6 steps of one input, RMSprop, MSE of one output, the state
   carried, every size a compile-time constant, one row of 16 floats to a vector.

   A limit includes this and says what a net is, how it is filled, and what an update does.
   Usage: limit SERIES WEIGHTS CHECKED ROUNDS. Both files are raw float32; the weights are in Keras's order. Prints the
   mean loss of the first CHECKED updates, then microseconds per update of each round (an epoch). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LANES = 6, STEPS = 6, UNITS = 10, WIDTH = 16 };
static const float RATE = 1e-3f, RHO = 0.9f, EPSILON = 1e-7f;

typedef float row __attribute__((vector_size(64)));
typedef int places __attribute__((vector_size(64)));

static row all(float x) { row r; for (int i = 0; i < WIDTH; i++) r[i] = x; return r; }
static float total(row x) { float s = 0; for (int i = 0; i < WIDTH; i++) s += x[i]; return s; }

/* The rational tanh of the library's kernels. */
static row squash(row x) {
    for (int i = 0; i < WIDTH; i++) x[i] = x[i] > 7.9f ? 7.9f : (x[i] < -7.9f ? -7.9f : x[i]);
    row s = x * x;
    row p = s * 1.1531846021800957e-05f + 2.9604739664355075e-03f;
    p = p * s + 1.2934418136203690e-01f, p = p * s + 9.9999986917316990e-01f;
    row q = s * 2.4925500783973527e-07f + 2.4001214552683142e-04f;
    q = q * s + 2.3854085700472780e-02f, q = q * s + 4.6267644834458020e-01f, q = q * s + 1.0f;
    return x * p / q;
}

static row sigmoid(row x) { return squash(x * 0.5f) * 0.5f + 0.5f; }

/* Rows of UNITS floats, transposed in registers: log2(16) rounds of shuffles. */
static void transpose(const row *from, row *to) {
    row r[WIDTH];
    for (int i = 0; i < WIDTH; i++) r[i] = i < UNITS ? from[i] : all(0);
    for (int apart = 1; apart < WIDTH; apart *= 2)
        for (int i = 0; i < WIDTH; i++)
            if (!(i & apart)) {
                places low, high;
                for (int c = 0; c < WIDTH; c++) {
                    low[c] = c & apart ? WIDTH + (c ^ apart) : c;
                    high[c] = c & apart ? WIDTH + c : (c | apart);
                }
                row a = r[i], b = r[i | apart];
                r[i] = __builtin_shuffle(a, b, low);
                r[i | apart] = __builtin_shuffle(a, b, high);
            }
    for (int i = 0; i < UNITS; i++) to[i] = r[i];
}

/* Every field of a net is rows of 16 floats, so the optimiser walks the whole structure; padding stays zero. */
static void move(row *p, row *s, const row *d, int rows) {
    for (int r = 0; r < rows; r++) {
        s[r] = s[r] * RHO + (1 - RHO) * d[r] * d[r];
        row root;
        for (int i = 0; i < WIDTH; i++) root[i] = sqrtf(s[r][i] + EPSILON);
        p[r] -= RATE * d[r] / root;
    }
}

static float *floats_of(const char *path, long *count) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    fseek(file, 0, SEEK_END);
    *count = ftell(file) / sizeof(float);
    rewind(file);
    float *values = malloc(*count * sizeof(float));
    if (fread(values, sizeof(float), *count, file) != (size_t)*count) { perror(path); exit(1); }
    fclose(file);
    return values;
}

/* Run the rounds. `update` trains on one update from the series' place; `begin` sets the states to zero. */
static int run(int count, char **arguments, void (*fill)(const float *), void (*begin)(void),
               float (*update)(const float *)) {
    if (count != 5) { fprintf(stderr, "usage: limit SERIES WEIGHTS CHECKED ROUNDS\n"); return 1; }
    long points, size;
    float *series = floats_of(arguments[1], &points), *given = floats_of(arguments[2], &size);
    int checked = atoi(arguments[3]), rounds = atoi(arguments[4]), updates = (points - STEPS) / LANES;
    fill(given);
    for (int round = 0; round < rounds; round++) {
        struct timespec a, b;
        double first = 0;
        begin();
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int k = 0; k < updates; k++) {
            float loss = update(series + k * LANES);
            if (k < checked) first += loss / checked;
        }
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (round == 0) printf("%.9g\n", first);
        printf("%.6f\n", ((b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) * 1e-3) / updates);
    }
    return 0;
}
