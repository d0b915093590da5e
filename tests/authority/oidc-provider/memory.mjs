// The provider's storage: everything in this process, nothing forgotten.
//
// The one that oidc-provider brings forgets what has expired (an expired device code is then
// `invalid_grant` instead of `expired_token`) and keeps 1,000 entries at most.

export function createMemory() {
  const models = new Map();
  const rows = (model) => {
    if (!models.has(model)) models.set(model, new Map());
    return models.get(model);
  };

  class MemoryAdapter {
    constructor(model) {
      this.rows = rows(model);
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
      this.rows.get(id).consumed = Math.floor(Date.now() / 1000);
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
