/**
 * A launcher that is killed. What it does is one conversation, so to die between any two of its steps is to have said a
 * part of it: those are the cuts. Then real processes, killed by the clock.
 */
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { CniWorld } from './world.ts';

const PLUGIN = join(import.meta.dirname, '..', '..', 'cni-plugin', 'poplin');

describeOnKernel('CNI: a launcher that is killed', function () {
  this.timeout(120_000);
  const world = new CniWorld();

  const variables = (command: string): Record<string, string> => {
    const { containerId = '', netns = '', ifName = '', args = '' } = world.attach();
    return {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: ifName,
      CNI_ARGS: args,
      CNI_PATH: '/opt/cni/bin',
    };
  };
  const del = async (): Promise<void> => {
    const answer = await world.node.call(world.attach({ command: 'DEL' }));
    expect([answer.exitCode, answer.stdout]).to.deep.equal([0, '']);
  };

  /** What a launcher says, in the pieces in which it says it. */
  function pieces(command: string): Buffer[] {
    const list = Object.entries(variables(command)).map(([name, value]) => `${name}=${value}\0`);
    return ['POPLIN-CNI 1\n', ...list, '\0', JSON.stringify(world.node.conf())].map((text) =>
      Buffer.from(text),
    );
  }

  /** Says so much of it and is gone, as the kernel closes for the dead; with `hangUp` it has ended its half before. */
  async function say(octets: Buffer, hangUp: boolean): Promise<void> {
    const socket = connect(join(world.node.runDir, 'cni.sock'));
    socket.on('error', () => {});
    await once(socket, 'connect');
    await new Promise<void>((resolve) => socket.write(octets, () => resolve()));
    if (hangUp) socket.end();
    socket.destroy();
  }

  for (const command of ['ADD', 'DEL'])
    it(`leaves nothing of ${command}, whatever it got to say, once the runtime deletes`, async () => {
      const all = pieces(command);
      const whole = Buffer.concat(all);
      const borders = all.map((_, i) => Buffer.concat(all.slice(0, i + 1)).length);
      for (const length of [0, 5, ...borders, whole.length - 10]) {
        if (command === 'DEL') await world.add();
        await say(whole.subarray(0, length), length === whole.length);
        await del();
        await world.expectNothingLeft();
      }
    });

  it('lets an ADD go on that nobody waits for, and the next ADD find its interface', async () => {
    await say(Buffer.concat(pieces('ADD')), true);
    for (let tries = 0; tries < 600 && (await world.endpoints()).length === 0; tries++) await sleep(100);
    expect((await world.refused(world.attach())).code).to.equal(102);
    await del();
    await world.add();
    await del();
    await world.expectNothingLeft();
  });

  it('as a process, at whatever moment', async () => {
    for (let delay = 0; delay < 10; delay++) {
      const child = spawn(PLUGIN, [], { env: variables('ADD'), stdio: ['pipe', 'ignore', 'ignore'] });
      const ended = once(child, 'close');
      child.stdin.on('error', () => {});
      child.stdin.end(JSON.stringify(world.node.conf()));
      await sleep(delay);
      child.kill('SIGKILL');
      await ended;
      await del();
      await world.expectNothingLeft();
    }
  });
});
