/* The practical limit: SimpleRNN(10) -> Dense(10, tanh) -> Dense(1), 6 lanes x 6 steps, RMSprop, state carried, with
   every size a compile-time constant, one row of 16 floats to a vector.

   Usage: limit SERIES WEIGHTS CHECKED ROUNDS. Both files are raw float32; the weights are in Keras's order. Prints the
   mean loss of the first CHECKED updates, then microseconds per update of each round (an epoch).
   Built by run.py: cc -O3 -march=native -ffast-math -mprefer-vector-width=512 limit.c -o limit -lm */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LANES = 6, STEPS = 6, UNITS = 10, WIDTH = 16 };
static const float RATE = 1e-3f, RHO = 0.9f, EPSILON = 1e-7f;

typedef float row __attribute__((vector_size(64)));

/* Every field is rows of 16 floats, so the optimiser can walk the whole structure; padding stays zero. */
typedef struct {
    row kernel, bias, recurrent[UNITS], head[UNITS], head_bias, out, out_bias;
} net;
enum { ROWS = sizeof(net) / sizeof(row) };

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

static float update(const float *x, net *w, net *slots, row h[STEPS + 1][LANES]) {
    row z[LANES];
    for (int t = 0; t < STEPS; t++) {
        for (int j = 0; j < LANES; j++) {
            row even = w->bias + x[j + t] * w->kernel, odd = all(0);
            for (int m = 0; m < UNITS; m += 2) {
                even += h[t][j][m] * w->recurrent[m];
                odd += h[t][j][m + 1] * w->recurrent[m + 1];
            }
            z[j] = even + odd;
        }
        for (int j = 0; j < LANES; j++) h[t + 1][j] = squash(z[j]);
    }
    net g;
    memset(&g, 0, sizeof g);
    row recurrent_t[UNITS], head_t[UNITS], d_h[LANES];
    for (int i = 0; i < UNITS; i++) {
        recurrent_t[i] = head_t[i] = all(0);
        for (int m = 0; m < UNITS; m++) recurrent_t[i][m] = w->recurrent[m][i], head_t[i][m] = w->head[m][i];
    }
    float loss = 0;
    for (int j = 0; j < LANES; j++) {
        row a = w->head_bias;
        for (int m = 0; m < UNITS; m++) a += h[STEPS][j][m] * w->head[m];
        a = squash(a);
        float error = w->out_bias[0] + total(a * w->out) - x[j + STEPS], slope = error * (2.f / LANES);
        loss += error * error / LANES;
        g.out_bias[0] += slope;
        g.out += slope * a;
        row d = slope * w->out * (1 - a * a), back = all(0);
        g.head_bias += d;
        for (int i = 0; i < UNITS; i++) back += d[i] * head_t[i];
        for (int m = 0; m < UNITS; m++) g.head[m] += h[STEPS][j][m] * d;
        d_h[j] = back;
    }
    for (int t = STEPS - 1; t >= 0; t--)
        for (int j = 0; j < LANES; j++) {
            row now = h[t + 1][j], d = d_h[j] * (1 - now * now), even = all(0), odd = all(0);
            g.bias += d;
            g.kernel += x[j + t] * d;
            for (int m = 0; m < UNITS; m++) g.recurrent[m] += h[t][j][m] * d;
            for (int i = 0; i < UNITS; i += 2) even += d[i] * recurrent_t[i], odd += d[i + 1] * recurrent_t[i + 1];
            d_h[j] = even + odd;
        }
    row *p = (row *)w, *s = (row *)slots, *d = (row *)&g;
    for (int r = 0; r < ROWS; r++) {
        s[r] = s[r] * RHO + (1 - RHO) * d[r] * d[r];
        row root;
        for (int i = 0; i < WIDTH; i++) root[i] = sqrtf(s[r][i] + EPSILON);
        p[r] -= RATE * d[r] / root;
    }
    memcpy(h[0], h[STEPS], sizeof h[0]);
    return loss;
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

int main(int count, char **arguments) {
    if (count != 5) { fprintf(stderr, "usage: limit SERIES WEIGHTS CHECKED ROUNDS\n"); return 1; }
    long points, size;
    float *series = floats_of(arguments[1], &points), *given = floats_of(arguments[2], &size);
    int checked = atoi(arguments[3]), rounds = atoi(arguments[4]), updates = (points - STEPS) / LANES;
    static net w, slots;
    static row h[STEPS + 1][LANES];
    const float *at = given;
    memcpy(&w.kernel, at, UNITS * 4), at += UNITS;
    for (int m = 0; m < UNITS; m++) memcpy(&w.recurrent[m], at, UNITS * 4), at += UNITS;
    memcpy(&w.bias, at, UNITS * 4), at += UNITS;
    for (int m = 0; m < UNITS; m++) memcpy(&w.head[m], at, UNITS * 4), at += UNITS;
    memcpy(&w.head_bias, at, UNITS * 4), at += UNITS;
    memcpy(&w.out, at, UNITS * 4), at += UNITS;
    w.out_bias[0] = *at;
    for (int round = 0; round < rounds; round++) {
        struct timespec a, b;
        double first = 0;
        memset(h, 0, sizeof h);
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int k = 0; k < updates; k++) {
            float loss = update(series + k * LANES, &w, &slots, h);
            if (k < checked) first += loss / checked;
        }
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (round == 0) printf("%.9g\n", first);
        printf("%.6f\n", ((b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) * 1e-3) / updates);
    }
    return 0;
}
