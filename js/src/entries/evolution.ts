import { render } from "../evolution/evolution";

export default { render };
