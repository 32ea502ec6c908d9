/* The practical limit of GRU(10) -> Dense(1), gates z, r, h and a bias for each product as in Keras; see limit.h. */
#include "limit.h"

enum { Z, R, H, GATES };
#include "limit_gates.h"

typedef struct {
    row kernel[GATES], recurrent[GATES][UNITS], bias[GATES], recurrent_bias[GATES], out, out_bias;
} net;
enum { ROWS = sizeof(net) / sizeof(row) };

static net weights, slots;
static row h[STEPS + 1][LANES];

static float update(const float *x) {
    net *w = &weights;
    /* The gates' values, the candidate's product with the state, and the slopes at both products. */
    static gates kept[STEPS][LANES], slopes[STEPS][LANES], of_input[STEPS][LANES];
    static row product[STEPS][LANES];
    for (int t = 0; t < STEPS; t++) {
        gates sums[LANES];
        ALL_LANES ALL_GATES sums[j][g] = w->recurrent_bias[g];
        times_recurrent(sums, h[t], w->recurrent);
        ALL_LANES {
            float value = x[j + t];
            row z = sigmoid(w->bias[Z] + value * w->kernel[Z] + sums[j][Z]);
            row r = sigmoid(w->bias[R] + value * w->kernel[R] + sums[j][R]);
            row c = squash(w->bias[H] + value * w->kernel[H] + r * sums[j][H]);
            kept[t][j][Z] = z, kept[t][j][R] = r, kept[t][j][H] = c, product[t][j] = sums[j][H];
            h[t + 1][j] = c + z * (h[t][j] - c);
        }
    }
    net g;
    row turned[GATES][UNITS], d_h[LANES];
    for (int gate = 0; gate < GATES; gate++) transpose(w->recurrent[gate], turned[gate]);
    float loss = head(x, h[STEPS], w->out, w->out_bias[0], &g.out, &g.out_bias, d_h);
    for (int t = STEPS - 1; t >= 0; t--) {
        ALL_LANES {
            row z = kept[t][j][Z], r = kept[t][j][R], c = kept[t][j][H], d = d_h[j];
            row d_c = d * (1 - z) * (1 - c * c), d_z = d * (h[t][j] - c) * z * (1 - z);
            row d_r = d_c * product[t][j] * r * (1 - r);
            slopes[t][j][Z] = of_input[t][j][Z] = d_z, slopes[t][j][R] = of_input[t][j][R] = d_r;
            slopes[t][j][H] = d_c * r, of_input[t][j][H] = d_c;
            d_h[j] = d * z;
        }
        if (t > 0) times_turned(d_h, slopes[t], turned);
    }
    gradients(x, h[0], slopes[0], of_input[0], g.recurrent, g.recurrent_bias, g.kernel, g.bias);
    move((row *)w, (row *)&slots, (row *)&g, ROWS);
    memcpy(h[0], h[STEPS], sizeof h[0]);
    return loss;
}

static void fill(const float *at) {
    at = rows_of(at, weights.kernel, 1, 1);
    at = rows_of(at, weights.recurrent[0], UNITS, UNITS);
    at = rows_of(at, weights.bias, 1, 1);
    at = rows_of(at, weights.recurrent_bias, 1, 1);
    memcpy(&weights.out, at, UNITS * 4), at += UNITS;
    weights.out_bias[0] = *at;
}

static void begin(void) { memset(h, 0, sizeof h); }

int main(int count, char **arguments) { return run(count, arguments, fill, begin, update); }
