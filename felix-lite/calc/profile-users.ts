/** How many endpoints of this node use each profile: only what is used is made into rules. */
export class ProfileUsers {
  readonly #users = new Map<string, number>();
  readonly #changes = new Set<string>();

  /** The new ones first, so that a profile which both use does not go and come back. */
  exchange(before: readonly string[] = [], after: readonly string[] = []): void {
    for (const name of after) this.#use(name, 1);
    for (const name of before) this.#use(name, -1);
  }

  uses(name: string): boolean {
    return this.#users.has(name);
  }

  /** Profiles that came into use or went out of it since the last call; also some that did neither in the end. */
  takeChanges(): readonly string[] {
    const names = [...this.#changes];
    this.#changes.clear();
    return names;
  }

  #use(name: string, by: 1 | -1): void {
    const users = (this.#users.get(name) ?? 0) + by;
    if (users === 0) this.#users.delete(name);
    else this.#users.set(name, users);
    this.#changes.add(name);
  }
}
