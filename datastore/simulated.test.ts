import { storeContract } from './contract.ts';
import { SimulatedStore } from './simulated.ts';

storeContract('simulated', async () => new SimulatedStore());
storeContract('simulated, without transactions', async () => new SimulatedStore({ transactional: false }), {
  ownsRevisions: false,
  compacts: false,
});
