// The provider's storage: everything in this process, nothing forgotten.
//
// The one that oidc-provider brings forgets what has expired (an expired device code is then
// `invalid_grant` instead of `expired_token`) and keeps 1,000 entries at most.

/** `forgives` is for how many seconds a refresh token that was used passes for one that was not. */
export function createMemory({ forgives = 0 } = {}) {
  const models = new Map();
  const rows = (model) => {
    if (!models.has(model)) models.set(model, new Map());
    return models.get(model);
  };

  class MemoryAdapter {
    constructor(model) {
      this.rows = rows(model);
      this.forgives = model === 'RefreshToken' ? forgives : 0;
    }

    async upsert(id, payload) {
      this.rows.set(id, payload);
    }

    async find(id) {
      return this.rows.get(id);
    }

    async findByUid(uid) {
      return this.#findBy('uid', uid);
    }

    async findByUserCode(userCode) {
      return this.#findBy('userCode', userCode);
    }

    async consume(id) {
      const row = this.rows.get(id);
      const now = Math.floor(Date.now() / 1000);
      if (this.forgives === 0) row.consumed = now;
      else setTimeout(() => { row.consumed = now; }, this.forgives * 1000).unref();
    }

    async destroy(id) {
      this.rows.delete(id);
    }

    async revokeByGrantId(grantId) {
      for (const [id, payload] of this.rows) {
        if (payload.grantId === grantId) this.rows.delete(id);
      }
    }

    #findBy(member, value) {
      return [...this.rows.values()].findLast((payload) => payload[member] === value);
    }
  }

  return { MemoryAdapter, rows };
}
