/**
 * What the two sides of a session last said to each other beside routes: their OPENs, and why it ended. Kept across
 * sessions, because the question "why is it down" comes when it is down.
 */
import type { Millis } from '../../clock/clock.ts';
import type { End } from '../fsm/index.ts';
import type { NotificationMessage, OpenMessage } from '../wire/index.ts';

export interface SessionError {
  /** Milliseconds of the clock. */
  readonly at: Millis;
  readonly notification: NotificationMessage;
  /** For people; for what we sent with the detail that no NOTIFICATION has room for. */
  readonly text: string;
}

export class SessionHistory {
  /** The last OPEN each way, of whichever connection. */
  openSent: OpenMessage | undefined;
  openReceived: OpenMessage | undefined;
  /** The last NOTIFICATION each way. */
  errorSent: SessionError | undefined;
  errorReceived: SessionError | undefined;
  notificationsSent = 0;
  notificationsReceived = 0;
  /** The last end of a connection, whatever ended it but a collision. */
  lastEnd: { readonly at: Millis; readonly text: string } | undefined;

  /** A connection has ended, and may have been told why, or have told. */
  ended({ cause, reason, sent, received }: End, at: Millis): void {
    // Of two connections that were opened at once one has to go: nobody asks why.
    if (cause !== 'collision') this.lastEnd = { at, text: reason };
    if (sent !== undefined) {
      this.notificationsSent++;
      this.errorSent = { at, notification: sent, text: reason };
    }
    if (received !== undefined) {
      this.notificationsReceived++;
      this.errorReceived = { at, notification: received, text: reason };
    }
  }
}
