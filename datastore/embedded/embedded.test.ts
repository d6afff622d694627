import { storeContract } from '../contract.ts';
import { temporaryStore } from '../testing.ts';

storeContract('embedded', async () => temporaryStore());
